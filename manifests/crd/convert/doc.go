// Package convert makes one version of the mesh's own objects of the other,
// without loss. It owns what corresponds to what between v1alpha2 and v1.
//
// What one version has and the other has not goes along in an annotation, where
// it is found on the way back: an API that promises to be stable should have no
// fields without effect, nor one of no schema to keep them in.
//
// Objects are converted as trees of JSON, not as Go values: a field that is
// false, empty or zero stays so instead of vanishing, and what no version knows
// is kept too. A value that has no counterpart is no error but stays behind in
// the annotation, because an object that can't be converted can't be listed or
// deleted either.
//
// The package must not know whether an object is of use to the mesh.
package convert
