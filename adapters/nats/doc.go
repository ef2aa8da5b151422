// Package recyclingnats runs tasks on other machines, through NATS.
package recyclingnats
