// Package rotation moves the replacement of a root on, by the steps of package
// trust: it finds out which proxies have acknowledged the trusted roots, and one
// replica, which holds a Lease, records what follows. That one also keeps the
// serving certificate of SDS, which all replicas share. How certificates are
// issued, and what proxies are sent, is not its business.
package rotation
