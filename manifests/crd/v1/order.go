package v1

import "cmp"

// ByAge orders MeshRootCertificates the newest first, and those of one second by
// their names, the last first.
func ByAge(a, b *MeshRootCertificate) int {
	return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(b.Name, a.Name))
}

// NewestActive returns the MeshRootCertificate that is to sign: of those that are
// Active, the first by [ByAge]. One that is being deleted is left out, unless it is
// the only one: it signs until it is gone. Without any, it returns nil.
func NewestActive(objects []MeshRootCertificate) *MeshRootCertificate {
	var newest *MeshRootCertificate
	for i := range objects {
		object := &objects[i]
		if object.Spec.Role == Active && (newest == nil || signsBefore(object, newest)) {
			newest = object
		}
	}
	return newest
}

func signsBefore(a, b *MeshRootCertificate) bool {
	if ending := a.DeletionTimestamp != nil; ending != (b.DeletionTimestamp != nil) {
		return !ending
	}
	return ByAge(a, b) < 0
}
