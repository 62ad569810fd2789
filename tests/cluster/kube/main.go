// Command kube is a whole Kubernetes control plane in one program, for tests.
//
// It becomes the part that its first argument names: etcd, kube-apiserver, kube-controller-manager or kube-scheduler. Each
// is the unchanged upstream command with its usual flags. (A file name of one of these does the same.)
//
// kubectl is built from this module too, as the tool that go.mod names, but into a program of its own: linked in here it would
// take three times as long to start, and it is what tidegate is compared with.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	_ "time/tzdata" // CronJobs may name time zones that this machine does not have.

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"tidegate.dev/tests/cluster/tether"
)

// parts maps a name to what runs it. Each reads os.Args, whose first element is the part's own name by then.
var parts = map[string]func(){
	"etcd":                    func() { etcdmain.Main(os.Args) },
	"kube-apiserver":          command(apiserver.NewAPIServerCommand),
	"kube-controller-manager": command(controllermanager.NewControllerManagerCommand),
	// The scheduler's constructor takes options for out-of-tree plugins; there are none here.
	"kube-scheduler": command(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
}

func main() {
	run, known := parts[filepath.Base(os.Args[0])]
	if !known && len(os.Args) > 1 {
		os.Args = os.Args[1:]
		run, known = parts[os.Args[0]]
	}
	if !known {
		fmt.Fprintln(os.Stderr, "usage: kube etcd|kube-apiserver|kube-controller-manager|kube-scheduler [flags]")
		os.Exit(2)
	}
	tether.Hold()
	run()
}

func command(construct func() *cobra.Command) func() {
	return func() { os.Exit(cli.Run(construct())) }
}
