package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	cri "k8s.io/cri-api/pkg/apis"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-client/pkg/logs"
)

// node is what is behind all pods.
type node struct {
	folder string

	lock sync.Mutex
	// processes are those that someone is attached to, by pod and container.
	processes map[string]*process
}

// behind is what is behind one pod, as its file says.
type behind struct {
	// Ports of the pod, and where their connections go.
	Ports map[string]string `json:"ports"`
	// Logs of its containers.
	Logs map[string]containerLogs `json:"logs"`
	// Attach has the main program of each container, started when someone attaches.
	Attach map[string][]string `json:"attach"`
}

type containerLogs struct {
	File     string `json:"file"`
	Previous string `json:"previous"`
	// Ended says that the container runs no more: who follows its log comes to an end.
	Ended bool `json:"ended"`
}

// of reads what is behind a pod; nil where nothing is said.
func (n *node) of(pod string) (*behind, error) {
	document, err := os.ReadFile(filepath.Join(n.folder, pod+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := &behind{}
	return found, json.Unmarshal(document, found)
}

// PortForward serves one connection to a port.
func (n *node) PortForward(ctx context.Context, pod string, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	found, err := n.of(pod)
	if err != nil {
		return err
	}
	if found == nil {
		_, err := io.Copy(stream, stream)
		return err
	}
	address, known := found.Ports[strconv.Itoa(int(port))]
	if !known {
		return fmt.Errorf("failed to connect to localhost:%d inside the pod: connection refused", port)
	}
	dialled, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	server := dialled.(*net.TCPConn)
	defer server.Close()
	// As the container runtimes do: what the client sends no more, the server reads no more, and the server's end is the end.
	go func() {
		_, _ = io.Copy(server, stream)
		_ = server.CloseWrite()
	}()
	_, err = io.Copy(stream, server)
	return err
}

func (n *node) serveLogs(w http.ResponseWriter, r *http.Request) {
	pod, container := podOf(r), r.PathValue("container")
	found, err := n.logsOf(pod, container)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	query := r.URL.Query()
	file := found.File
	if query.Get("previous") == "true" {
		if file = found.Previous; file == "" {
			text := fmt.Sprintf("previous terminated container %q in pod %q not found", container, pod)
			http.Error(w, text, http.StatusBadRequest)
			return
		}
	}
	options, err := logOptions(query)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out := flushing{w, http.NewResponseController(w)}
	w.Header().Set("Content-Type", "text/plain")
	if err := logs.ReadLogs(r.Context(), file, pod+"/"+container+"/"+file, options, state{node: n}, out, out); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (n *node) logsOf(pod, container string) (containerLogs, error) {
	found, err := n.of(pod)
	if err != nil {
		return containerLogs{}, err
	}
	if found == nil {
		every := filepath.Join(filepath.Dir(n.folder), "pods.log")
		return containerLogs{File: every, Previous: every}, nil
	}
	logs, known := found.Logs[container]
	if !known {
		return containerLogs{}, fmt.Errorf("container %q in pod %q is waiting to start: ContainerCreating", container, pod)
	}
	return logs, nil
}

// logOptions reads what the API server says of a log.
func logOptions(query url.Values) (*logs.LogOptions, error) {
	options := &logs.LogOptions{
		Follow:    query.Get("follow") == "true",
		Timestamp: query.Get("timestamps") == "true",
	}
	number := func(name string) (*int64, error) {
		if !query.Has(name) {
			return nil, nil
		}
		value, err := strconv.ParseInt(query.Get(name), 10, 64)
		return &value, err
	}
	var err error
	if options.TailLines, err = number("tailLines"); err != nil {
		return nil, err
	}
	if options.LimitBytes, err = number("limitBytes"); err != nil {
		return nil, err
	}
	seconds, err := number("sinceSeconds")
	if err != nil {
		return nil, err
	}
	if seconds != nil {
		options.Since = time.Now().Add(-time.Duration(*seconds) * time.Second)
	}
	if since := query.Get("sinceTime"); since != "" {
		options.Since, err = time.Parse(time.RFC3339, since)
	}
	return options, err
}

// flushing hands on at once what is written.
type flushing struct {
	http.ResponseWriter
	controller *http.ResponseController
}

func (f flushing) Write(bytes []byte) (int, error) {
	written, err := f.ResponseWriter.Write(bytes)
	if err == nil {
		err = f.controller.Flush()
	}
	return written, err
}

// state answers whether a container runs, which is all that following a log asks of a container runtime.
type state struct {
	cri.RuntimeService
	node *node
}

// ContainerStatus is asked of a run of a container, which the file is that it writes. One that was started again writes another.
func (s state) ContainerStatus(_ context.Context, id string, _ bool) (*runtime.ContainerStatusResponse, error) {
	status := &runtime.ContainerStatus{Id: id, State: runtime.ContainerState_CONTAINER_RUNNING}
	parts := strings.SplitN(id, "/", 4)
	found, err := s.node.logsOf(parts[0]+"/"+parts[1], parts[2])
	if err != nil || found.Ended || found.File != parts[3] {
		status.State = runtime.ContainerState_CONTAINER_EXITED
	}
	return &runtime.ContainerStatusResponse{Status: status}, nil
}
