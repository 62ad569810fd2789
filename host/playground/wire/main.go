// Command wire writes messages.txt: how the kinds that the playground serves look as protobuf, which is what kubectl
// sends for `create configmap` and its like. Run it again when the Kubernetes release changes:
//
//	cd host/playground/wire && go run . > messages.txt
//
// One line a message: its name, then `json-name:number:type` for each field. A name of `*` is a struct whose members
// are the message's own in JSON. A type is a scalar (b bool, i integer, u unsigned, s string, y bytes, f double), a
// well-known type (time, micro, quantity, intstr, raw, duration, strings) or a message, after `[]` for a list and
// `{}` for a map from strings. `?` behind it: left out of JSON when it is zero.
package main

import (
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The kinds whose bodies clients send.
var kinds = map[string]any{
	"v1/ConfigMap": corev1.ConfigMap{}, "v1/Endpoints": corev1.Endpoints{}, "v1/Event": corev1.Event{},
	"v1/LimitRange": corev1.LimitRange{}, "v1/Namespace": corev1.Namespace{}, "v1/Node": corev1.Node{},
	"v1/PersistentVolume": corev1.PersistentVolume{}, "v1/PersistentVolumeClaim": corev1.PersistentVolumeClaim{},
	"v1/Pod": corev1.Pod{}, "v1/PodTemplate": corev1.PodTemplate{},
	"v1/ReplicationController": corev1.ReplicationController{}, "v1/ResourceQuota": corev1.ResourceQuota{},
	"v1/Secret": corev1.Secret{}, "v1/Service": corev1.Service{}, "v1/ServiceAccount": corev1.ServiceAccount{},
	"v1/DeleteOptions":           metav1.DeleteOptions{},
	"apps/v1/ControllerRevision": appsv1.ControllerRevision{}, "apps/v1/DaemonSet": appsv1.DaemonSet{},
	"apps/v1/Deployment": appsv1.Deployment{}, "apps/v1/ReplicaSet": appsv1.ReplicaSet{},
	"apps/v1/StatefulSet": appsv1.StatefulSet{},
	"batch/v1/Job":        batchv1.Job{}, "batch/v1/CronJob": batchv1.CronJob{},
	"autoscaling/v1/Scale": autoscalingv1.Scale{}, "autoscaling/v2/HorizontalPodAutoscaler": autoscalingv2.HorizontalPodAutoscaler{},
	"networking.k8s.io/v1/Ingress": networkingv1.Ingress{}, "networking.k8s.io/v1/IngressClass": networkingv1.IngressClass{},
	"networking.k8s.io/v1/NetworkPolicy":              networkingv1.NetworkPolicy{},
	"rbac.authorization.k8s.io/v1/Role":               rbacv1.Role{},
	"rbac.authorization.k8s.io/v1/RoleBinding":        rbacv1.RoleBinding{},
	"rbac.authorization.k8s.io/v1/ClusterRole":        rbacv1.ClusterRole{},
	"rbac.authorization.k8s.io/v1/ClusterRoleBinding": rbacv1.ClusterRoleBinding{},
	"coordination.k8s.io/v1/Lease":                    coordinationv1.Lease{},
	"discovery.k8s.io/v1/EndpointSlice":               discoveryv1.EndpointSlice{},
	"policy/v1/PodDisruptionBudget":                   policyv1.PodDisruptionBudget{},
	"policy/v1/Eviction":                              policyv1.Eviction{},
	"storage.k8s.io/v1/StorageClass":                  storagev1.StorageClass{},
	"scheduling.k8s.io/v1/PriorityClass":              schedulingv1.PriorityClass{},
	"authorization.k8s.io/v1/SelfSubjectAccessReview": authorizationv1.SelfSubjectAccessReview{},
	"authorization.k8s.io/v1/SubjectAccessReview":     authorizationv1.SubjectAccessReview{},
	"authorization.k8s.io/v1/SelfSubjectRulesReview":  authorizationv1.SelfSubjectRulesReview{},
	"authentication.k8s.io/v1/SelfSubjectReview":      authenticationv1.SelfSubjectReview{},
}

// Types whose JSON is not that of their fields.
var wellKnown = map[string]string{
	"v1.Time": "time", "v1.MicroTime": "micro", "resource.Quantity": "quantity", "intstr.IntOrString": "intstr",
	"runtime.RawExtension": "raw", "v1.FieldsV1": "raw", "v1.Duration": "duration",
}

var lines = map[string]string{}

func main() {
	for name, value := range kinds {
		message(name, reflect.TypeOf(value))
	}
	names := make([]string, 0, len(lines))
	for name := range lines {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Printf("%s%s\n", name, lines[name])
	}
}

func message(name string, t reflect.Type) {
	if _, done := lines[name]; done {
		return
	}
	lines[name] = ""
	var line strings.Builder
	for i := range t.NumField() {
		field := t.Field(i)
		tag, ok := field.Tag.Lookup("protobuf")
		if !ok {
			continue
		}
		json, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if json == "" {
			json = "*"
		}
		end := ""
		if field.Type.Kind() != reflect.Pointer && strings.Contains(options, "omit") {
			end = "?"
		}
		fmt.Fprintf(&line, " %s:%s:%s%s", json, strings.Split(tag, ",")[1], typeOf(field.Type), end)
	}
	lines[name] = line.String()
}

func typeOf(t reflect.Type) string {
	if known, ok := wellKnown[t.String()]; ok {
		return known
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeOf(t.Elem())
	case reflect.Bool:
		return "b"
	case reflect.Int32, reflect.Int64, reflect.Int:
		return "i"
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return "u"
	case reflect.Float64, reflect.Float32:
		return "f"
	case reflect.String:
		return "s"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "y"
		}
		// A named list, such as ExtraValue, is a message of its own with the items in field 1.
		if t.PkgPath() != "" {
			return "strings"
		}
		return "[]" + typeOf(t.Elem())
	case reflect.Map:
		return "{}" + typeOf(t.Elem())
	case reflect.Struct:
		name := t.PkgPath()[strings.Index(t.PkgPath(), "/")+1:] + "." + t.Name()
		message(name, t)
		return name
	}
	fmt.Fprintln(os.Stderr, "no rule for", t)
	os.Exit(1)
	return ""
}
