package issuer

// ToMend stands in the text of errors between what is wrong and what to do.
const ToMend = "; to mend it, "
