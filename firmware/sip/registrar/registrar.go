package registrar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/ban"
	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Account is what the configuration says about one phone's login.
type Account struct {
	Device      tel.DeviceID
	HA1         map[digest.Algorithm]string // lower-case hexadecimal, made with Config.Realm
	AllowMD5    bool                        // MD5 is accepted from the LAN and shown as weak
	AllowNoQOP  bool                        // the RFC 2069 form without qop is accepted where MD5 is
	AnyNetwork  bool                        // may log in from outside the LAN, over TLS
	OwnMachine  bool                        // makes calls from this machine alone, and registers nothing
	MaxBindings int                         // contacts at one time; 0 = 5
}

// Stack is what the registrar needs of the SIP stack; *stack.Stack satisfies it.
type Stack interface {
	Request(req *sip.Request, to stack.Flow, sink func(stack.Result)) (*stack.ClientTx, error)
	Contact(f stack.Flow) (host string, port int)
	Alive(f stack.Flow) bool
}

// HotJournal keeps state over a crash of the process; nil in Config = none.
type HotJournal interface {
	Put(kind, key string, value []byte) error
	Delete(kind, key string) error
}

// Guard is told what strangers do, and says who is not believed; *ban.Bans satisfies it.
type Guard interface {
	Banned(src netip.Addr) bool
	Guessed(src netip.Addr)            // a wrong password, from an address that is not forged
	Asked(src netip.Addr, name string) // a challenge was sent
	Proved(src netip.Addr, name string)
	Scanned(src netip.Addr) // the program is known to attack
}

// Kinds in the hot journal.
const (
	KindBinding = "binding" // key: device
	KindNonce   = "nonce"   // key: NonceName
	NonceName   = "registrar"
)

// Config is what a Registrar needs. Accounts, LAN and the callbacks must be safe for concurrent
// use and must not block.
type Config struct {
	Log      *slog.Logger
	Realm    string
	Accounts func(user string) (Account, bool)
	LAN      func(netip.Addr) bool // nil = nothing is LAN, so MD5 is never accepted

	// OfferMD5 adds an MD5 challenge behind the SHA-256 one for peers on the LAN. It is a property
	// of the box (set it when any account allows MD5) and not of the account asked for, because a
	// challenge that depends on the account tells a stranger which accounts exist.
	OfferMD5 bool

	// NeedMD5 is asked instead of OfferMD5 where the phones may change while the registrar runs; nil =
	// OfferMD5 holds. It must be safe for concurrent use.
	NeedMD5 func() bool

	// MD5Agents are beginnings of User-Agent texts of programs that give up when any challenge names
	// another algorithm than MD5, instead of passing over it (RFC 7616 section 3.3). Where OfferMD5
	// holds they get the MD5 challenge alone. What the request says of itself decides, again not the
	// account. nil = MD5Agents().
	MD5Agents []string

	Changed func(tel.DeviceChanged)           // once per change, in order, from the owner
	Failed  func(src netip.Addr, user string) // a wrong password or unknown user, for the log
	Bans    Guard                             // nil = bans in memory, with the default policy
	Journal HotJournal                        // nil = none
	Nonce   []byte                            // value of KindNonce/NonceName of the earlier process; nil = none
	Stack   Stack

	MinExpires    time.Duration // shorter wishes get 423; 0 = 60 s
	MaxExpires    time.Duration // longer wishes are cut; 0 = 1 h
	Qualify       time.Duration // between two OPTIONS to a phone, +-20 %; 0 = 30 s, negative = never
	NonceLifetime time.Duration // 0 = 10 min

	// STUN says that the stack answers keep-alives by STUN on its UDP sockets (RFC 5626 section 4.4.2).
	// Without them a phone would think its UDP flow dead, so flows over UDP are not promised then.
	STUN bool

	RegisterRate  int // REGISTER requests per second from one source; more get 503; 0 = 100
	RegisterBurst int // of them at once: an office behind one address after a power cut; 0 = 10 times the rate
	MaxBindings   int // of all devices together; a new one above gets 503; 0 = 10,000
}

// MD5Agents are the programs known to fail on a SHA-256 challenge, seen with baresip 1.0.0 (libre
// ends with "Function not implemented") and SIPp 3.6.1 (reads the first challenge only, then exits).
func MD5Agents() []string { return []string{"baresip v0.", "baresip v1.", "SIPp"} }

const (
	defaultMinExpires    = time.Minute
	defaultMaxExpires    = time.Hour
	defaultQualify       = 30 * time.Second
	defaultNonceLifetime = 10 * time.Minute
	defaultMaxBindings   = 5 // of one device
	defaultAllBindings   = 10_000
	defaultRegisterRate  = 100
	burstRatio           = 10

	mailbox    = 1024
	maxNonces  = 8192
	retryAfter = 5 // seconds, in a 503
)

func (c *Config) setDefaults() {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.NeedMD5 == nil {
		offer := c.OfferMD5
		c.NeedMD5 = func() bool { return offer }
	}
	if c.LAN == nil {
		c.LAN = func(netip.Addr) bool { return false }
	}
	if c.Changed == nil {
		c.Changed = func(tel.DeviceChanged) {}
	}
	if c.Failed == nil {
		c.Failed = func(netip.Addr, string) {}
	}
	if c.MD5Agents == nil {
		c.MD5Agents = MD5Agents()
	}
	if c.MinExpires == 0 {
		c.MinExpires = defaultMinExpires
	}
	if c.MaxExpires == 0 {
		c.MaxExpires = defaultMaxExpires
	}
	if c.Qualify == 0 {
		c.Qualify = defaultQualify
	}
	if c.NonceLifetime == 0 {
		c.NonceLifetime = defaultNonceLifetime
	}
	if c.RegisterRate == 0 {
		c.RegisterRate = defaultRegisterRate
	}
	if c.RegisterBurst == 0 {
		c.RegisterBurst = burstRatio * c.RegisterRate
	}
	if c.MaxBindings == 0 {
		c.MaxBindings = defaultAllBindings
	}
}

// Counters are events since the start.
type Counters struct {
	Registers int64 // REGISTER requests seen
	Malformed int64 // answered 400
	Failures  int64 // wrong password or unknown user
	Blocked   int64 // answered 403 because the source is banned
	Shed      int64 // answered 503: too many from one source, too many bindings, or the owner was busy
	Silent    int64 // strangers from outside who got no answer, lest it reach somebody else
	Panics    int64 // recovered; each one is a fault of ours
}

type counters struct {
	registers, malformed, failures, blocked, shed, silent, panics atomic.Int64
}

// Registrar keeps the bindings and proves identities. Its methods are safe from any goroutine.
type Registrar struct {
	cfg    Config
	gate   *gate
	count  counters
	inbox  chan message
	cancel context.CancelFunc
	done   chan struct{}

	rate  *rates // REGISTER requests
	reply replies
	bans  *ban.Bans // our own, when none were given

	// What the owner publishes, for anybody who asks.
	mu        sync.RWMutex
	published map[tel.DeviceID][]Binding
	places    places
}

// message is run by the owner.
type message func(*owner)

// New starts a registrar. It panics if Accounts or Stack is missing, which is a programmer's mistake.
func New(cfg Config) *Registrar {
	if cfg.Accounts == nil || cfg.Stack == nil {
		panic("registrar: Accounts and Stack are needed")
	}
	cfg.setDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	r := &Registrar{
		cfg:       cfg,
		inbox:     make(chan message, mailbox),
		cancel:    cancel,
		done:      make(chan struct{}),
		published: map[tel.DeviceID][]Binding{},
		places:    newPlaces(),
		rate:      newRates(float64(cfg.RegisterRate), float64(cfg.RegisterBurst)),
		reply:     newReplies(),
	}
	if cfg.Bans == nil {
		r.bans = ban.New(ban.Config{Log: cfg.Log, Near: cfg.LAN, Known: r.Known, Behind: r.Behind})
		r.cfg.Bans = r.bans
	}
	r.gate = newGate(r, time.Now())
	if cfg.Journal != nil {
		if err := cfg.Journal.Put(KindNonce, NonceName, encodeNonceKey(r.gate.nonces.Key())); err != nil {
			cfg.Log.Warn("nonce key not kept", "error", err)
		}
	}
	o := newOwner(r)
	go func() {
		defer close(r.done)
		o.run(ctx)
	}()
	return r
}

// Close stops the owner and waits for it. Bindings stay in the journal: phones do not register
// again because the box restarts.
func (r *Registrar) Close() {
	r.cancel()
	<-r.done
	if r.bans != nil {
		r.bans.Close()
	}
}

// Counters returns the events since the start.
func (r *Registrar) Counters() Counters {
	return Counters{
		Registers: r.count.registers.Load(), Malformed: r.count.malformed.Load(),
		Failures: r.count.failures.Load(), Blocked: r.count.blocked.Load(),
		Shed: r.count.shed.Load(), Silent: r.count.silent.Load(), Panics: r.count.panics.Load(),
	}
}

// Bindings returns where the device can be reached, one binding for each phone of it, the most
// recently registered last. Of a phone that keeps several flows (RFC 5626) it is the one to use
// first. Expired bindings are not returned.
func (r *Registrar) Bindings(dev tel.DeviceID) []Binding {
	var list []Binding
	for _, flows := range r.Flows(dev) {
		list = append(list, flows[0])
	}
	return list
}

// Flows returns the bindings of a device by phone. Of each phone's flows the first is to be used;
// the next only when the first has failed (RFC 5626 section 7): each phone is to ring once.
func (r *Registrar) Flows(dev tel.DeviceID) [][]Binding {
	r.mu.RLock()
	list := r.published[dev]
	r.mu.RUnlock()
	return byPhone(list, time.Now())
}

// Known reports that a phone is registered from exactly this address and port.
func (r *Registrar) Known(at netip.AddrPort) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.places.at[unmapped(at)]) > 0
}

// Behind reports that a phone is registered from this source, whatever its port.
func (r *Registrar) Behind(a netip.Addr) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.places.behind[ban.SourceOf(a)] > 0
}

// speaks reports that the device is registered from exactly this address and port.
func (r *Registrar) speaks(at netip.AddrPort, dev tel.DeviceID) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Contains(r.places.at[unmapped(at)], dev)
}

// FlowClosed drops the bindings of a connection that has ended: nobody but the phone can open it
// again (RFC 5626 section 5.3). It does not block; should the owner be too busy to listen, it finds
// out by itself within a second.
func (r *Registrar) FlowClosed(f stack.Flow) {
	if r.Known(f.Remote) {
		r.tell(func(o *owner) { o.closed(f) })
	}
}

// Forget drops all bindings of a device, for when its account is removed or its secret changed.
func (r *Registrar) Forget(dev tel.DeviceID) {
	r.ask(func(o *owner) { o.forget(dev) })
}

// Restore takes over the bindings of an earlier process from the hot journal's kind KindBinding:
// those over UDP until they expire, those over TCP if their connection was kept. A record that
// cannot be read is skipped and reported in the joined error.
func (r *Registrar) Restore(states map[string][]byte) error {
	var errs []error
	decoded := make(map[tel.DeviceID][]Binding, len(states))
	for key, value := range states {
		list, err := decodeBindings(value)
		if err != nil {
			errs = append(errs, fmt.Errorf("binding of %q: %w", key, err))
			continue
		}
		decoded[tel.DeviceID(key)] = list
	}
	r.ask(func(o *owner) { o.restore(decoded) })
	return errors.Join(errs...)
}

// ask runs fn on the owner and waits for its end, or for the owner's.
func (r *Registrar) ask(fn message) {
	finished := make(chan struct{})
	select {
	case r.inbox <- func(o *owner) { defer close(finished); fn(o) }:
	case <-r.done:
		return
	}
	select {
	case <-finished:
	case <-r.done:
	}
}

// tell hands fn to the owner without waiting; false = the mailbox is full or the owner is gone.
func (r *Registrar) tell(fn message) bool {
	select {
	case <-r.done:
		return false
	default:
	}
	select {
	case r.inbox <- fn:
		return true
	default:
		return false
	}
}

type nonceRecord struct {
	V   int    `json:"v"`
	Key []byte `json:"key"`
}

func encodeNonceKey(key []byte) []byte {
	b, err := json.Marshal(nonceRecord{V: 1, Key: key})
	if err != nil { // a struct of an int and bytes always encodes
		return nil
	}
	return b
}

// decodeNonceKey returns nil for anything but a record of this version: a new key costs each phone
// one more round trip, no more.
func decodeNonceKey(value []byte) []byte {
	var rec nonceRecord
	if json.Unmarshal(value, &rec) != nil || rec.V != 1 {
		return nil
	}
	return rec.Key
}
