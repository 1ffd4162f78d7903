package presence

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/presence/core"
	"github.com/pronto-pbx/pronto/firmware/sip/presence/document"
	"github.com/pronto-pbx/pronto/firmware/sip/presence/rtcpxr"
	"github.com/pronto-pbx/pronto/firmware/sip/registrar"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Package is an event package (RFC 6665 section 7.2).
type Package string

// The packages that can be watched. The resource of Registrations is a device, that of the others a
// number that can be dialled.
const (
	Dialogs       Package = "dialog"
	Messages      Package = "message-summary"
	Presences     Package = "presence"
	Registrations Package = "reg"
)

// Quality is the package that phones publish.
const Quality Package = "vq-rtcpxr"

// mediaType is that of a package's documents; empty for a package without subscriptions.
func (p Package) mediaType() string {
	switch p {
	case Dialogs:
		return document.DialogInfoType
	case Messages:
		return document.SummaryType
	case Presences:
		return document.PresenceType
	case Registrations:
		return document.RegInfoType
	case Referrals:
		return "message/sipfrag"
	}
	return ""
}

// Stack is what this package needs of the SIP stack; *stack.Stack satisfies it.
type Stack interface {
	Request(req *sip.Request, to stack.Flow, sink func(stack.Result)) (*stack.ClientTx, error)
	Contact(f stack.Flow) (host string, port int)
	Alive(f stack.Flow) bool
}

// Phones is the part of the registrar that this package needs; *registrar.Registrar satisfies it.
type Phones interface {
	Authenticate(req *sip.Request, flow stack.Flow) (dev tel.DeviceID, challenge []sip.Header, status int)
	Bindings(dev tel.DeviceID) []registrar.Binding
}

// HotJournal keeps state over a crash of the process; nil in Config = none.
type HotJournal interface {
	Put(kind, key string, value []byte) error
	Delete(kind, key string) error
}

// JournalKind is the kind under which subscriptions stand in the hot journal.
const JournalKind = "subscription"

// Recipient is where a text message goes, and as whose it arrives.
type Recipient struct {
	Devices    []tel.DeviceID
	FromNumber tel.Number
	FromName   string
}

// Report is a voice quality report with who sent it.
type Report struct {
	rtcpxr.Report
	Device tel.DeviceID
	At     time.Time
}

// Config is what a Server needs. The callbacks must be safe for concurrent use and must not block.
type Config struct {
	Log     *slog.Logger
	Stack   Stack
	Phones  Phones
	Journal HotJournal

	// Watch decides what a phone that asks for user sees: the resource, and 0; or the status that
	// refuses it, 404 for a number that does not exist and 403 for one that this phone may not watch.
	Watch func(watcher tel.DeviceID, p Package, user string) (resource string, status int)
	// Name is what a resource is called; empty where it has no name.
	Name func(resource string) string
	// Send finds where a text message of sender to user goes, or the status that refuses it. nil: there
	// are no text messages.
	Send func(sender tel.DeviceID, user string) (to Recipient, status int)
	// Call begins the call that a REFER outside of calls asks for, or says with which status it is
	// refused; SetProgress follows. nil: every such REFER is refused with 403.
	Call func(Clicked) (status int)
	// Quality takes reports. nil: none are accepted.
	Quality func(Report)

	// Unsolicited says whether phones that do not ask are told of their messages all the same (RFC 3842
	// knows no such thing, many phones need it). nil = no.
	Unsolicited func() bool
	// Mailbox is the resource whose messages a phone is told; empty: none.
	Mailbox func(dev tel.DeviceID) (resource string)
	// Owners are the phones that are told of the messages of a resource.
	Owners func(resource string) []tel.DeviceID

	MinExpires time.Duration // shorter wishes get 423; 0 = 60 s
	MaxExpires time.Duration // longer wishes are cut; 0 = 1 h
	PerWatcher int           // subscriptions of one phone; 0 = 200: a phone with all its key modules
	Total      int           // subscriptions in all; 0 = 5,000
}

const (
	defaultMinExpires = time.Minute
	defaultMaxExpires = time.Hour
	defaultPerWatcher = 200
	defaultTotal      = 5000

	mailboxLimit = 1024 // requests that wait for the owner
	busySeconds  = "5"  // Retry-After of a 503
)

func (c *Config) setDefaults() {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Name == nil {
		c.Name = func(string) string { return "" }
	}
	if c.Unsolicited == nil {
		c.Unsolicited = func() bool { return false }
	}
	if c.Mailbox == nil {
		c.Mailbox = func(tel.DeviceID) string { return "" }
	}
	if c.Owners == nil {
		c.Owners = func(string) []tel.DeviceID { return nil }
	}
	if c.MinExpires == 0 {
		c.MinExpires = defaultMinExpires
	}
	if c.MaxExpires == 0 {
		c.MaxExpires = defaultMaxExpires
	}
	if c.PerWatcher == 0 {
		c.PerWatcher = defaultPerWatcher
	}
	if c.Total == 0 {
		c.Total = defaultTotal
	}
}

// Counters are events since the start, except those said to be of now.
type Counters struct {
	Subscriptions int64 // now
	Notified      int64 // NOTIFY sent, unsolicited ones included
	Failed        int64 // subscriptions that ended because the phone did not take a NOTIFY
	Shed          int64 // requests answered 503
	Delivered     int64 // text messages that a phone took
	Reports       int64 // voice quality reports accepted
	Panics        int64 // recovered; each one is a fault of ours
}

type counters struct {
	subscriptions, notified, failed, shed, delivered, reports, panics atomic.Int64
}

// Server answers SUBSCRIBE, PUBLISH, MESSAGE and the REFER outside of calls. Its methods are safe from any goroutine.
type Server struct {
	cfg    Config
	count  counters
	facts  *facts
	inbox  *inbox
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// New starts a server. It panics if Stack, Phones or Watch is missing, which is a programmer's
// mistake.
func New(cfg Config) *Server {
	if cfg.Stack == nil || cfg.Phones == nil || cfg.Watch == nil {
		panic("presence: Stack, Phones and Watch are needed")
	}
	cfg.setDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{cfg: cfg, facts: newFacts(), inbox: newInbox(), cancel: cancel}
	o := newOwner(s)
	s.wg.Go(func() { o.run(ctx) })
	return s
}

// Close stops the owner and waits for it. Subscriptions stay in the journal: the next process goes
// on with them.
func (s *Server) Close() {
	s.inbox.close()
	s.cancel()
	s.wg.Wait()
}

// Counters returns the events since the start.
func (s *Server) Counters() Counters {
	c := &s.count
	return Counters{
		Subscriptions: c.subscriptions.Load(), Notified: c.notified.Load(), Failed: c.failed.Load(), Shed: c.shed.Load(),
		Delivered: c.delivered.Load(), Reports: c.reports.Load(), Panics: c.panics.Load(),
	}
}

// Restore takes over the subscriptions of an earlier process from the hot journal's JournalKind. Each
// watcher is told the state anew within seconds. A record that cannot be read is skipped and
// reported in the joined error.
func (s *Server) Restore(states map[string][]byte) error {
	subs, err := decodeAll(states)
	s.inbox.put(func(o *owner) { o.restore(subs) }, 0)
	return err
}

// Review asks Watch again for every subscription, after numbers or rights have changed: what is gone
// ends with "noresource", what is not allowed any more with "rejected"; the others go on with the
// resource and the name of today.
func (s *Server) Review() { s.inbox.put((*owner).review, 0) }

// Forget ends the subscriptions of a phone, for when its password has changed: it may ask again.
func (s *Server) Forget(dev tel.DeviceID) {
	s.inbox.put(func(o *owner) {
		o.each(func(sub *subscription) bool { return sub.Watcher == dev }, core.Terminate{Reason: core.Deactivated})
	}, 0)
}

// Registered says that a phone has come or gone: who watches its registrations is told, and where
// unsolicited messages are wanted the phone hears of its mailbox.
func (s *Server) Registered(dev tel.DeviceID, reachable bool) {
	s.inbox.put(func(o *owner) { o.registered(dev, reachable) }, 0)
}

// guard turns a panic of f into a count and a log line.
func (s *Server) guard(where string, f func()) {
	defer func() {
		if p := recover(); p != nil {
			s.count.panics.Add(1)
			s.cfg.Log.Error("panic recovered", "where", where, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	f()
}
