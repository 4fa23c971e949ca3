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
			if isSame(was, is) {
				continue
			}
			field := path + "/" + strconv.Itoa(i) + now[j].field
			if is == nil {
				operations = append(operations, operation{Operation: "remove", Path: field})
				continue
			}
			operations = appendHandlerPatch(operations, field, was, is)
		}
	}
	return operations
}

func isSame(was, is *corev1.ProbeHandler) bool {
	if was == nil || is == nil {
		return was == is
	}
	if was.HTTPGet == nil || is.HTTPGet == nil {
		return was.HTTPGet == is.HTTPGet
	}
	return was.HTTPGet.Path == is.HTTPGet.Path && was.HTTPGet.Port == is.HTTPGet.Port && was.HTTPGet.Scheme == is.HTTPGet.Scheme
}

// appendHandlerPatch writes the members of an httpGet that differ. "add" is
// right whether the user's JSON has a member or leaves it to its default,
// because it replaces one that is there (RFC 6902 section 4.1).
func appendHandlerPatch(operations []operation, path string, was, is *corev1.ProbeHandler) []operation {
	old, now := was.HTTPGet, is.HTTPGet
	if old == nil {
		kind := "/tcpSocket"
		if was.GRPC != nil {
			kind = "/grpc"
		}
		return append(operations,
			operation{Operation: "remove", Path: path+kind},
			add(path+"/httpGet", now))
	}
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
