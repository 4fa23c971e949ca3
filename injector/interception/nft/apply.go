package nft

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/injector/interception"
)

const (
	// sendBuffer in bytes holds the transaction of the largest Config that
	// interception.Parse takes. The kernel's default would not.
	sendBuffer = 1 << 20
	// elementsPerMessage keeps a netlink attribute below its 64 KiB. It is even,
	// so that an interval's two elements stay together.
	elementsPerMessage = 512
)

// Apply makes the network namespace of the calling thread follow c, whatever
// table "osm" it had before, and reads back that it does. ipv6 is false where
// the kernel has no IPv6, and there is nothing of it to intercept. Open TCP
// connections end, unless rules of this package saw them opened, or they are
// within the pod, to a port that is left alone, or over such an interface.
//
// An error that is fs.ErrPermission tells that the capability NET_ADMIN is
// missing, one that is errors.ErrUnsupported that the kernel lacks what the rules
// need. After an error the table is as it was, unless the error tells that what
// was read back differs. The kernel answers netlink
// before a request's system call returns, so there is nothing to wait for.
func Apply(c interception.Config) (ipv6 bool, err error) {
	if err := c.Check(); err != nil {
		return false, fmt.Errorf("interception config: %w", err)
	}
	family := nftables.TableFamilyINet
	if ipv6, err = hasIPv6(); err != nil {
		return false, err
	}
	if !ipv6 {
		family = nftables.TableFamilyIPv4
	}
	return ipv6, rulesetOf(c, family).apply()
}

// hasIPv6 reports whether the kernel has it. That it is disabled for a network
// namespace (net.ipv6.conf.all.disable_ipv6) is something else: it can be
// enabled again, and a table of the family inet does no harm until then.
func hasIPv6() (bool, error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.EAFNOSUPPORT):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("find out whether there is IPv6: %w", err)
	}
	return true, unix.Close(fd)
}

func (r ruleset) apply() (err error) {
	conn, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(c *netlink.Conn) error {
		return c.SetWriteBuffer(sendBuffer)
	}))
	if err != nil {
		return fmt.Errorf("open a netlink socket to nftables: %w", explain(err))
	}
	defer func() { err = errors.Join(err, conn.CloseLasting()) }()
	if err := r.replace(conn); err != nil {
		return fmt.Errorf("set %s: %w", r, explain(err))
	}
	if err := r.verify(conn); err != nil {
		return fmt.Errorf("read back %s: %w", r, err)
	}
	return nil
}

func (r ruleset) String() string {
	family := "inet"
	if r.family == nftables.TableFamilyIPv4 {
		family = "ip"
	}
	return "nftables table " + family + " " + tableName
}

// replace sends everything as one transaction: connections meet the table of
// before or the new one, and nothing between.
func (r ruleset) replace(conn *nftables.Conn) error {
	table := &nftables.Table{Name: tableName, Family: r.family}
	conn.AddTable(table) // or there might be none to delete
	conn.DelTable(table)
	conn.AddTable(table)
	for i, s := range r.sets {
		if err := s.add(conn, table, uint32(i+1)); err != nil {
			return err
		}
	}
	for _, c := range r.chains {
		c.add(conn, table)
	}
	return conn.Flush()
}

func (s set) add(conn *nftables.Conn, table *nftables.Table, id uint32) error {
	added := &nftables.Set{
		Table: table, ID: id, Name: s.name, KeyType: s.key, Interval: s.interval, KeyByteOrder: binaryutil.BigEndian,
	}
	if err := conn.AddSet(added, nil); err != nil {
		return fmt.Errorf("set %s: %w", s.name, err)
	}
	for elements := range slices.Chunk(s.elements, elementsPerMessage) {
		if err := conn.SetAddElements(added, elements); err != nil {
			return fmt.Errorf("elements of set %s: %w", s.name, err)
		}
	}
	return nil
}

func (c chain) add(conn *nftables.Conn, table *nftables.Table) {
	added := conn.AddChain(&nftables.Chain{
		Table: table, Name: c.name, Type: c.kind, Hooknum: &c.hook, Priority: &c.priority, Policy: &c.policy,
	})
	for _, r := range c.rules {
		conn.AddRule(&nftables.Rule{Table: table, Chain: added, Exprs: r})
	}
}

// explain says what the kernel's answer means.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("the capability NET_ADMIN is missing, or a security module forbids its use: %w", err)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%w: the kernel lacks what the rules need: Linux 5.2 or newer "+
			"with CONFIG_NF_TABLES_INET, CONFIG_NFT_NAT, CONFIG_NFT_REDIR, CONFIG_NFT_CT, CONFIG_NFT_FIB_INET and CONFIG_NF_CONNTRACK_LABELS "+
			"(modules nf_tables, nft_chain_nat, nft_redir and nft_ct, and nft_fib_inet with nft_fib_ipv4 and nft_fib_ipv6); nothing was changed: %w", errors.ErrUnsupported, err)
	}
	return err
}
