package injector

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// probesPatch returns the JSON Patch (RFC 6902) from before to after, which are
// the containers at path before and after rewriteProbes or removeRewritten. It
// says nothing of what these don't write, so that fields stay which this version
// of the API does not know.
func probesPatch(path string, before, after []corev1.Container) []operation {
	var operations []operation
	for i := range after {
		old, now := questions(&before[i]), questions(&after[i])
		for j := range now {
			was, is := old[j].handler, now[j].handler
			if was != nil && (is == nil || is.HTTPGet != nil) {
				operations = appendQuestionPatch(operations, path+"/"+strconv.Itoa(i)+now[j].field, was, is)
			}
		}
	}
	return operations
}

// appendQuestionPatch takes out a question, or has the kubelet ask it by an
// httpGet of which it writes what differs. "add" is right whether the user's
// JSON has a member or leaves it to its default, because it replaces one that is
// there (RFC 6902 section 4.1).
func appendQuestionPatch(operations []operation, path string, was, is *corev1.ProbeHandler) []operation {
	switch {
	case is == nil:
		return append(operations, remove(path))
	case was.HTTPGet == nil && was.TCPSocket != nil:
		return append(operations, remove(path+"/tcpSocket"), add(path+"/httpGet", is.HTTPGet))
	case was.HTTPGet == nil:
		return append(operations, remove(path+"/grpc"), add(path+"/httpGet", is.HTTPGet))
	}
	old, now := was.HTTPGet, is.HTTPGet
	if old.Path != now.Path {
		operations = append(operations, add(path+"/httpGet/path", now.Path))
	}
	if old.Port != now.Port {
		operations = append(operations, add(path+"/httpGet/port", now.Port.IntVal))
	}
	if old.Scheme != now.Scheme {
		operations = append(operations, add(path+"/httpGet/scheme", now.Scheme))
	}
	return operations
}

func remove(path string) operation {
	return operation{Operation: "remove", Path: path}
}
