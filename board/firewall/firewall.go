// Package firewall lets nothing reach the box but what is open, and on the interface alone that has the box's
// address; and lets the user who fetches from the Internet reach nothing but servers of web pages and names. It is one
// table of nftables, which is replaced whole: there is no instant without rules.
package firewall

import (
	"encoding/binary"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/pronto-pbx/pronto/board/firewall/opening"
	"golang.org/x/sys/unix"
)

// Rules is what the firewall is to let through.
type Rules struct {
	Interface string            // with the box's address; empty: none has one yet, and nothing is open
	Open      []opening.Opening // beside what every box needs
	// Fetcher is the user who reaches nothing but the box itself, the web (ports 80 and 443 of TCP) and names (53);
	// 0: there is none.
	Fetcher uint32
}

const table = "pronto"

// loopback is the interface that leads to ourselves.
const loopback = "lo"

// The ports that a fetcher reaches: HTTP, HTTPS (RFC 9110) and names (RFC 1035).
const (
	http, https = 80, 443
	dns         = 53
)

// mdns is the port of multicast DNS (RFC 6762), by which a box is found under its name.
const mdns = 5353

// Apply replaces the rules. An error leaves those of before.
func Apply(r Rules) error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("firewall: %w", err)
	}
	t := &nftables.Table{Name: table, Family: nftables.TableFamilyINet}
	conn.AddTable(t) // so that there is one to remove
	conn.DelTable(t)
	conn.AddTable(t)
	chain := func(name string, hook *nftables.ChainHook, p *nftables.ChainPriority, policy nftables.ChainPolicy) func(...[]expr.Any) {
		c := conn.AddChain(&nftables.Chain{Name: name, Table: t, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: p, Policy: &policy})
		return func(parts ...[]expr.Any) {
			var all []expr.Any
			for _, p := range parts {
				all = append(all, p...)
			}
			conn.AddRule(&nftables.Rule{Table: t, Chain: c, Exprs: all})
		}
	}
	// Audio and SIP over UDP pass by without being followed: nothing is looked up for each of their packets.
	before := chain("before", nftables.ChainHookPrerouting, nftables.ChainPriorityRaw, nftables.ChainPolicyAccept)
	sent := chain("sent", nftables.ChainHookOutput, nftables.ChainPriorityRaw, nftables.ChainPolicyAccept)
	in := chain("in", nftables.ChainHookInput, nftables.ChainPriorityFilter, nftables.ChainPolicyDrop)
	chain("through", nftables.ChainHookForward, nftables.ChainPriorityFilter, nftables.ChainPolicyDrop)

	if r.Interface != "" {
		for _, o := range r.Open {
			if o.Protocol == opening.UDP {
				before(arrives(r.Interface), address(o, toUs), protocol(unix.IPPROTO_UDP), ports(toUs, o.First, o.Last), untracked())
				sent(leaves(r.Interface), address(o, fromUs), protocol(unix.IPPROTO_UDP), ports(fromUs, o.First, o.Last), untracked())
				in(arrives(r.Interface), address(o, toUs), protocol(unix.IPPROTO_UDP), ports(toUs, o.First, o.Last), accept())
			}
		}
	}
	in(arrives(loopback), accept())
	in(answers(), accept())
	if r.Interface != "" {
		for _, o := range r.Open {
			if o.Protocol == opening.TCP {
				in(arrives(r.Interface), address(o, toUs), protocol(unix.IPPROTO_TCP), ports(toUs, o.First, o.Last), accept())
			}
		}
		in(arrives(r.Interface), protocol(unix.IPPROTO_UDP), ports(toUs, mdns, mdns), accept())
		neighbourhood(in, r.Interface)
		// Who asks in vain is told so at once, and a phone tries the next server without waiting.
		in(arrives(r.Interface), protocol(unix.IPPROTO_TCP), reject(unix.NFT_REJECT_TCP_RST, 0))
		in(arrives(r.Interface), protocol(unix.IPPROTO_UDP), reject(unix.NFT_REJECT_ICMPX_UNREACH, unix.NFT_REJECT_ICMPX_PORT_UNREACH))
	}
	if r.Fetcher != 0 {
		bind(chain("out", nftables.ChainHookOutput, nftables.ChainPriorityFilter, nftables.ChainPolicyAccept), r.Fetcher)
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("firewall: %w", err)
	}
	return nil
}

// neighbourhood is what IPv4 and IPv6 themselves need.
func neighbourhood(in func(...[]expr.Any), name string) {
	const echoes = 20 // a second
	few := []expr.Any{&expr.Limit{Type: expr.LimitTypePkts, Rate: echoes, Unit: expr.LimitTimeSecond, Burst: echoes}}
	in(arrives(name), protocol(unix.IPPROTO_ICMP), kind(8), few, accept()) // echo request (RFC 792)
	in(arrives(name), protocol(unix.IPPROTO_IGMP), accept())               // a switch asks who listens (RFC 3376)
	in(arrives(name), protocol(unix.IPPROTO_ICMPV6), kind(128), few, accept())
	for _, k := range []byte{130, 134, 135, 136} { // listener query (RFC 2710), router, neighbours (RFC 4861)
		in(arrives(name), protocol(unix.IPPROTO_ICMPV6), kind(k), accept())
	}
}

// bind keeps a user from reaching others than he needs. What he asks in vain he is told at once.
func bind(out func(...[]expr.Any), uid uint32) {
	his := user(uid)
	out(his, leaves(loopback), accept())
	for _, port := range []uint16{http, https, dns} {
		out(his, protocol(unix.IPPROTO_TCP), ports(toUs, port, port), accept()) // the second field is where it goes
	}
	out(his, protocol(unix.IPPROTO_UDP), ports(toUs, dns, dns), accept())
	out(his, protocol(unix.IPPROTO_TCP), reject(unix.NFT_REJECT_TCP_RST, 0))
	out(his, reject(unix.NFT_REJECT_ICMPX_UNREACH, unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED))
}

// user compares whose packet of ours it is.
func user(uid uint32) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeySKUID, Register: register}, &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: binaryutil.NativeEndian.PutUint32(uid)}}
}

// The parts of rules. A register holds what was looked at last.
const register = 1

func accept() []expr.Any    { return []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}} }
func untracked() []expr.Any { return []expr.Any{&expr.Notrack{}} }

// answers to what we asked, and errors about it.
func answers() []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: register},
		&expr.Bitwise{
			SourceRegister: register, DestRegister: register, Len: 4,
			Mask: binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED), Xor: make([]byte, 4),
		},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: register, Data: make([]byte, 4)},
	}
}

func named(key expr.MetaKey, name string) []expr.Any {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return []expr.Any{&expr.Meta{Key: key, Register: register}, &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: b}}
}

func arrives(name string) []expr.Any { return named(expr.MetaKeyIIFNAME, name) }
func leaves(name string) []expr.Any  { return named(expr.MetaKeyOIFNAME, name) }

func protocol(p byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register}, &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte{p}}}
}

// direction tells which end of a packet is ours.
type direction int

const (
	toUs direction = iota
	fromUs
)

// ports compares our port, which is the first field of the header when we sent the packet, else the second.
func ports(d direction, first, last uint16) []expr.Any {
	at := uint32(2)
	if d == fromUs {
		at = 0
	}
	return []expr.Any{
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: at, Len: 2},
		&expr.Cmp{Op: expr.CmpOpGte, Register: register, Data: binary.BigEndian.AppendUint16(nil, first)},
		&expr.Cmp{Op: expr.CmpOpLte, Register: register, Data: binary.BigEndian.AppendUint16(nil, last)},
	}
}

// kind compares the type of an ICMP message.
func kind(k byte) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte{k}},
	}
}

// address compares our address, where an opening names one (RFC 791 section 3.1, RFC 8200 section 3).
func address(o opening.Opening, d direction) []expr.Any {
	if o.Address.IsUnspecified() {
		return nil
	}
	family, at := byte(unix.NFPROTO_IPV4), map[direction]uint32{fromUs: 12, toUs: 16}
	if o.Address.Is6() {
		family, at = unix.NFPROTO_IPV6, map[direction]uint32{fromUs: 8, toUs: 24}
	}
	b := o.Address.AsSlice()
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: register},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte{family}},
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: at[d], Len: uint32(len(b))},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: b},
	}
}

func reject(how uint32, code uint8) []expr.Any {
	return []expr.Any{&expr.Reject{Type: how, Code: code}}
}
