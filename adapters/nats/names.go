package recyclingnats

import (
	"net/url"
	"slices"
	"strings"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

const (
	maxSubject   = 256 // of an inbox
	defaultGroup = "default"
)

// redacted is a list of URLs without passwords.
func redacted(list string) string {
	all := strings.Split(list, ",")
	for i, s := range all {
		if u, err := url.Parse(strings.TrimSpace(s)); err == nil {
			all[i] = u.Redacted()
		} else {
			all[i] = "?"
		}
	}
	return strings.Join(all, ",")
}

// group returns the name of the group that a task is in.
func (c *Config) group(name string, o task.Options) string {
	for group, tasks := range c.Groups {
		if slices.Contains(tasks, name) {
			return group
		}
	}
	if needs(o.Slots) {
		return name
	}
	return defaultGroup
}

func needs(s offload.Slots) bool {
	for _, n := range s {
		if n > 0 {
			return true
		}
	}
	return false
}

// Subjects and names of streams and buckets.
func (c *Config) callStream() string   { return c.Name + "-calls" }
func (c *Config) jobStream() string    { return c.Name + "-jobs" }
func (c *Config) deadStream() string   { return c.Name + "-dead" }
func (c *Config) stateBucket() string  { return c.Name + "-state" }
func (c *Config) inputBucket() string  { return c.Name + "-inputs" }
func (c *Config) outputBucket() string { return c.Name + "-outputs" }
func (c *Config) calls() string        { return c.Name + ".call" }
func (c *Config) jobs() string         { return c.Name + ".job" }
func (c *Config) dead() string         { return c.Name + ".dead" }
func (c *Config) callSubject(group, task string) string {
	return c.Name + ".call." + group + "." + task
}
func (c *Config) jobSubject(group, task, id string) string {
	return c.Name + ".job." + group + "." + task + "." + id
}
func (c *Config) deadSubject(group, task, id string) string {
	return c.Name + ".dead." + group + "." + task + "." + id
}

// validReply reports whether messages may be sent to a subject that a message names: not to
// JetStream or another part of NATS, nor to the streams of tasks, to which the sender may have no
// right itself. nats.go would also send a text with spaces or line breaks as it is.
func (c *Config) validReply(subject string) bool {
	if subject == "" || len(subject) > maxSubject || subject[0] == '$' || subject[0] == '.' ||
		subject[len(subject)-1] == '.' || strings.Contains(subject, "..") {
		return false
	}
	for i := range len(subject) {
		if b := subject[i]; b <= ' ' || b >= 0x7f || b == '*' || b == '>' {
			return false
		}
	}
	own, below := strings.CutPrefix(subject, c.Name)
	return !below || own == "" || own[0] != '.'
}

func lastToken(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }
