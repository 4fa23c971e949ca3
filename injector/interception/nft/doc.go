// Package nft makes the packet filter of a network namespace follow an
// interception.Config: the nftables table "inet osm", whose chains redirect new
// TCP connections to the sidecar, and drop what is neither redirected nor left
// alone. It talks netlink, so that it needs the
// capability NET_ADMIN in that namespace, and neither files nor other programs.
//
// The table is the package's own: it is replaced as a whole, in one transaction,
// and no other table is read or changed. The package must not know where the
// Config comes from, nor who grants the capability.
package nft
