package v1

import "cmp"

// ByAge orders MeshRootCertificates the newest first, and those of one second by
// their names, the last first. Of those that are Active, the first signs.
func ByAge(a, b *MeshRootCertificate) int {
	return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(b.Name, a.Name))
}
