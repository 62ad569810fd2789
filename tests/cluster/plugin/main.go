// A credential plugin as the clouds' own are: it asks the cluster that it was told of for a token that lasts a while.
//
//	plugin BOOTSTRAP-TOKEN-FILE NAMESPACE SERVICE-ACCOUNT SECONDS
//
// It needs provideClusterInfo: server and authority come from KUBERNETES_EXEC_INFO.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

type execCredential struct {
	Kind       string  `json:"kind"`
	APIVersion string  `json:"apiVersion"`
	Spec       spec    `json:"spec"`
	Status     *status `json:"status,omitempty"`
}

type spec struct {
	Cluster *struct {
		Server string `json:"server"`
		CAData []byte `json:"certificate-authority-data"`
	} `json:"cluster,omitempty"`
	Interactive bool `json:"interactive"`
}

type status struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expirationTimestamp"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "plugin:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 4 {
		return fmt.Errorf("usage: plugin BOOTSTRAP-TOKEN-FILE NAMESPACE SERVICE-ACCOUNT SECONDS")
	}
	var asked execCredential
	if err := json.Unmarshal([]byte(os.Getenv("KUBERNETES_EXEC_INFO")), &asked); err != nil {
		return fmt.Errorf("KUBERNETES_EXEC_INFO: %w", err)
	}
	if asked.Kind != "ExecCredential" || asked.Spec.Cluster == nil {
		return fmt.Errorf("KUBERNETES_EXEC_INFO names no cluster; set provideClusterInfo")
	}
	answer, err := request(asked.Spec.Cluster.Server, asked.Spec.Cluster.CAData, arguments)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(execCredential{
		Kind: asked.Kind, APIVersion: asked.APIVersion, Spec: spec{}, Status: answer,
	})
}

// request is TokenRequest of the account, with the bootstrap token's rights.
func request(server string, authority []byte, arguments []string) (*status, error) {
	bootstrap, err := os.ReadFile(arguments[0])
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	client := http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
	}
	url := fmt.Sprintf("%s/api/v1/namespaces/%s/serviceaccounts/%s/token", server, arguments[1], arguments[2])
	body := fmt.Sprintf(`{"spec":{"expirationSeconds":%s}}`, arguments[3])
	post, err := http.NewRequest(http.MethodPost, url, bytes.NewBufferString(body))
	if err != nil {
		return nil, err
	}
	post.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(bootstrap)))
	post.Header.Set("Content-Type", "application/json")
	response, err := client.Do(post)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(response.Body)
		return nil, fmt.Errorf("TokenRequest: %s: %s", response.Status, text)
	}
	var made struct {
		Status status `json:"status"`
	}
	err = json.NewDecoder(response.Body).Decode(&made)
	return &made.Status, err
}
