package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// drain is how long the output of a program may take that has ended, where a child of its own holds it open.
const drain = 2 * time.Second

// ExecInContainer runs a program on this machine.
func (n *node) ExecInContainer(
	_ context.Context, _, _, _ string, argv []string, in io.Reader, out, errOut io.WriteCloser,
	tty bool, resize <-chan remotecommand.TerminalSize, _ time.Duration,
) error {
	if len(argv) == 0 {
		return errors.New("no command")
	}
	command := program(argv)
	if tty {
		return exitOf(runOnTerminal(command, in, out, resize))
	}
	command.Stdout, command.Stderr = writer(out), writer(errOut)
	if in != nil {
		stdin, err := command.StdinPipe()
		if err != nil {
			return err
		}
		go func() {
			_, _ = io.Copy(stdin, in)
			_ = stdin.Close()
		}()
	}
	if err := command.Start(); err != nil {
		// As a container runtime says it: 126, or 127 where there is no such program.
		code := 126
		if errors.Is(err, exec.ErrNotFound) {
			code = 127
		}
		return utilexec.CodeExitError{Err: err, Code: code}
	}
	return exitOf(command.Wait())
}

// program is one that ends with this one.
func program(argv []string) *exec.Cmd {
	command := exec.Command(argv[0], argv[1:]...)
	command.WaitDelay = drain
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return command
}

// writer is nil for what is not there, rather than an interface that holds nil.
func writer(stream io.WriteCloser) io.Writer {
	if stream == nil {
		return nil
	}
	return stream
}

// exitOf tells a program that failed from a failure to run it.
func exitOf(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	code := exit.ExitCode()
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = 128 + int(status.Signal())
	}
	return utilexec.CodeExitError{Err: err, Code: code}
}

func runOnTerminal(command *exec.Cmd, in io.Reader, out io.Writer, resize <-chan remotecommand.TerminalSize) error {
	terminal, err := pty.Start(command)
	if err != nil {
		return err
	}
	defer terminal.Close()
	go func() {
		for size := range resize {
			_ = pty.Setsize(terminal, &pty.Winsize{Rows: size.Height, Cols: size.Width})
		}
	}()
	if in != nil {
		go func() { _, _ = io.Copy(terminal, in) }()
	}
	copied := make(chan struct{})
	go func() {
		// It ends with an error once nobody has the terminal open any more.
		_, _ = io.Copy(out, terminal)
		close(copied)
	}()
	err = command.Wait()
	select {
	case <-copied:
	case <-time.After(drain):
	}
	return err
}

// process is a container's main program, which several may be attached to.
type process struct {
	stdin io.WriteCloser
	ended chan struct{}

	lock     sync.Mutex
	attached map[*attachment]struct{}
}

// attachment is who is shown what a process writes.
type attachment struct {
	out, errOut io.Writer
}

// AttachContainer starts the container's program if it does not run, and shows what it writes. The end of what is typed is the end of
// its standard input, as of a container with stdinOnce.
func (n *node) AttachContainer(
	_ context.Context, pod, _, container string, in io.Reader, out, errOut io.WriteCloser,
	_ bool, _ <-chan remotecommand.TerminalSize,
) error {
	show := &attachment{writer(out), writer(errOut)}
	process, err := n.attach(pod, container, show)
	if err != nil {
		return err
	}
	defer process.detach(show)
	if in != nil {
		go func() {
			_, _ = io.Copy(process.stdin, in)
			_ = process.stdin.Close()
		}()
	}
	<-process.ended
	return nil
}

func (n *node) attach(pod, container string, show *attachment) (*process, error) {
	n.lock.Lock()
	defer n.lock.Unlock()
	key := pod + "/" + container
	if running, ok := n.processes[key]; ok {
		running.lock.Lock()
		defer running.lock.Unlock()
		running.attached[show] = struct{}{}
		return running, nil
	}
	found, err := n.of(pod)
	if err != nil {
		return nil, err
	}
	if found == nil || len(found.Attach[container]) == 0 {
		return nil, fmt.Errorf("no program runs in container %q of pod %q", container, pod)
	}
	command := program(found.Attach[container])
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	started := &process{stdin: stdin, ended: make(chan struct{}), attached: map[*attachment]struct{}{show: {}}}
	command.Stdout = output{started, func(a *attachment) io.Writer { return a.out }}
	command.Stderr = output{started, func(a *attachment) io.Writer { return a.errOut }}
	if err := command.Start(); err != nil {
		return nil, err
	}
	n.processes[key] = started
	go func() {
		_ = command.Wait()
		n.lock.Lock()
		delete(n.processes, key)
		n.lock.Unlock()
		close(started.ended)
	}()
	return started, nil
}

// output is one of a process's two, shown to all who are attached.
type output struct {
	process *process
	of      func(*attachment) io.Writer
}

// Write does not fail where someone is gone: that does not hold up the others, nor the process.
func (o output) Write(bytes []byte) (int, error) {
	o.process.lock.Lock()
	defer o.process.lock.Unlock()
	for show := range o.process.attached {
		to := o.of(show)
		if to == nil {
			continue
		}
		if _, err := to.Write(bytes); err != nil {
			delete(o.process.attached, show)
		}
	}
	return len(bytes), nil
}

func (p *process) detach(show *attachment) {
	p.lock.Lock()
	defer p.lock.Unlock()
	delete(p.attached, show)
}
