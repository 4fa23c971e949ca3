package issuer

// ToFix stands in the text of errors between what is wrong and what to do.
const ToFix = "; to fix it, "
