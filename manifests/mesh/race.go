package mesh

import apierrors "k8s.io/apimachinery/pkg/api/errors"

// LostRace reports whether a write failed because another client wrote the object
// or created it first: read the object again, and retry.
func LostRace(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }
