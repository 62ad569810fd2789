// Package tether ends a program when the test that started it is gone.
//
// A test that is killed with SIGKILL runs no destructor, and Rust never drops a static. The kernel still closes the dead
// process's end of a pipe, though, so a part of a test cluster watches its standard input and leaves when that ends.
// PR_SET_PDEATHSIG would fire when the starting *thread* ends, which in a test harness is at the end of each test.
package tether

import (
	"io"
	"os"
	"time"
)

const (
	// dieWithParent, set to "1", makes the end of standard input the end of the program.
	dieWithParent = "TIDEGATE_DIE_WITH_PARENT"
	// removeAtEnd names a folder that is removed when standard input ends. One part of each cluster is given it.
	removeAtEnd = "TIDEGATE_REMOVE_AT_END"
)

// Hold starts the watch if the environment asks for it, and returns at once.
//
// The program leaves without ceremony: its data lives in a folder that nobody will read again, and an API server that
// is asked politely waits for an etcd that has just left, too.
func Hold() {
	if os.Getenv(dieWithParent) != "1" {
		return
	}
	folder := os.Getenv(removeAtEnd)
	go func() {
		// An error counts as the end: a standard input that cannot be read cannot announce anything.
		_, _ = io.Copy(io.Discard, os.Stdin)
		if folder != "" {
			remove(folder)
		}
		os.Exit(0)
	}()
}

// remove deletes the folder while other parts may still be writing to it: they leave within moments, for the same reason.
func remove(folder string) {
	for range 20 {
		if os.RemoveAll(folder) == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
