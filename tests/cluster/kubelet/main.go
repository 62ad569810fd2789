// Command kubelet serves what the API server asks of a node: logs, exec, attach and port-forward, by Kubernetes' own code for
// those protocols, with real processes, files and servers behind it.
//
// kwok has such an endpoint too, but there a program never sees the end of its standard input, its exit code is lost, a log is
// followed for ever, and nobody is asked who they are.
//
//	kubelet ADDRESS FOLDER CERTIFICATE KEY CLIENT-CA
//
// FOLDER/NAMESPACE/POD.json says what is behind a pod; it is read for each request. What is behind one that has none: a port
// echoes, and the log is FOLDER/../pods.log.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"

	"tidegate.dev/tests/cluster/tether"
)

const (
	// idle is the kubelet's own --streaming-connection-idle-timeout.
	idle = 4 * time.Hour
	// creation is how long a client may take to open its streams.
	creation = 30 * time.Second
)

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "usage: kubelet ADDRESS FOLDER CERTIFICATE KEY CLIENT-CA")
		os.Exit(2)
	}
	address, folder, certificate, key, ca := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	tether.Hold()
	clients, err := clientsOf(ca)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Handler: handler(&node{folder: folder, processes: map[string]*process{}}),
		TLSConfig: &tls.Config{
			ClientAuth: tls.RequireAndVerifyClientCert,
			ClientCAs:  clients,
		},
		// An upgrade is HTTP/1.1's.
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ReadHeaderTimeout: creation,
	}
	log.Fatal(server.ServeTLS(listener, certificate, key))
}

func clientsOf(ca string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", ca)
	}
	return pool, nil
}

// handler has the paths that the API server knows of a kubelet.
func handler(node *node) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", node.serveLogs)
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		options, err := remotecommand.NewOptions(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		remotecommand.ServeExec(w, r, node, podOf(r), "", r.PathValue("container"), r.URL.Query()["command"],
			options, idle, creation, remotecommand.SupportedStreamingProtocols)
	})
	mux.HandleFunc("/attach/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		options, err := remotecommand.NewOptions(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		remotecommand.ServeAttach(w, r, node, podOf(r), "", r.PathValue("container"),
			options, idle, creation, remotecommand.SupportedStreamingProtocols)
	})
	mux.HandleFunc("/portForward/{namespace}/{pod}", func(w http.ResponseWriter, r *http.Request) {
		options, err := portforward.NewV4Options(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		portforward.ServePortForward(w, r, node, podOf(r), "", options, idle, creation, portforward.SupportedProtocols)
	})
	return mux
}

func podOf(r *http.Request) string {
	return r.PathValue("namespace") + "/" + r.PathValue("pod")
}
