package component

import "time"

// Linger is how long a server goes on when its Pod is told to end. A Service
// leads clients to it until every node has learned of that, and nothing waits
// for them (Kubernetes, "Pod Lifecycle", termination of Pods).
const Linger = 5 * time.Second
