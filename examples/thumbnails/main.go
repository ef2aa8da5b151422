// Command thumbnails is a small application that makes thumbnails of the pictures that are uploaded
// to it, in one of three places: in its own process, in child processes, or on other machines
// through NATS. One setting chooses the place; the tasks are the same.
//
//	go run ./examples/thumbnails                    # then open http://localhost:8080
//	go run ./examples/thumbnails -place children
//	go run ./examples/thumbnails -place nats
//
//	GET  /                     a page for uploading pictures
//	POST /thumbnail            a picture in the body: the response is its thumbnail
//	POST /thumbnail/progress   the same; the response is a stream of lines of JSON
//	POST /thumbnail/later      the same; the response is 202 and an id (place nats)
//	GET  /later/{id}           what has become of it
//	GET  /later/{id}/result    the thumbnail, in JSON
//
// On the internal address, localhost:6060, are the status page with the tasks, /tasks to change the
// number of workers, /metrics, and with NATS /backlog and /dead. README.md has the commands for one
// machine and for three.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	recyclingchi "github.com/recycling-go/recycling/adapters/chi"
	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/offload/child"
)

func main() {
	child.Main(&tasks) // in a child it runs tasks, and does not return
	c, err := parse(os.Args[1:])
	if err == nil {
		chosen = c.place
		if c.worker {
			err = work(c)
		} else {
			err = serve(c)
		}
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		slog.Error("thumbnails: " + err.Error())
		os.Exit(1)
	}
}

// serve is the web application. It returns after SIGTERM, when all uploads have their thumbnails.
func serve(c config) error {
	rec := observe.NewTaskRecorder()
	p, err := open(context.Background(), c, rec)
	if err != nil {
		return err
	}
	err = recyclingchi.Serve(routes(c, p), recycling.Addr(c.addr), internal(c, p, rec))
	return errors.Join(err, p.close())
}

// work is a worker. It returns after SIGTERM, when it has finished what it had, or given it back.
func work(c config) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, err := recyclingnats.Connect(ctx, c.nats())
	if err != nil {
		return err
	}
	defer client.Close()
	w, err := client.NewWorker(&tasks, recyclingnats.WorkerConfig{Workers: c.workers})
	if err != nil {
		return err
	}
	if c.admin != "" {
		l, err := net.Listen("tcp", c.admin)
		if err != nil {
			return fmt.Errorf("-admin: %w", err)
		}
		admin := &http.Server{Handler: workerRoutes(w), ReadHeaderTimeout: 10 * time.Second}
		done := make(chan error, 1)
		go func() { done <- admin.Serve(l) }()
		defer func() {
			admin.Close()
			<-done
		}()
	}
	slog.Info("thumbnails: working", "pid", os.Getpid())
	return w.Run(ctx)
}
