package appliance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/feed"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/front"
	"github.com/pronto-pbx/pronto/ui/live"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/view"
	"github.com/pronto-pbx/pronto/ui/web"
)

// openWeb takes the page's sockets from the supervisor, or opens them. They are kept like those of calls:
// while we restart another program could take the port, and then we would not start at all.
func (b *Box) openWeb() (err error) {
	c := b.config().Web
	if b.web, err = b.openPage("web-tcp-", c.Listen); err != nil || !c.TLSListen.IsValid() {
		return err
	}
	source, err := b.certificate()
	if err != nil {
		return err
	}
	b.log.Info("HTTPS", "listen", c.TLSListen, "fingerprint", source.Fingerprint(), "expires", source.Expires())
	b.webTLS, err = b.openPage("web-tls-", c.TLSListen)
	return err
}

func (b *Box) openPage(kind string, at netip.AddrPort) (net.Listener, error) {
	name := kind + at.String()
	if k := b.opts.Keeper; k != nil {
		if f, ok := k.Take(name); ok {
			l, err := net.FileListener(f)
			_ = f.Close() // the listener has a duplicate
			if err == nil {
				return l, nil
			}
			b.log.Warn("socket of the page is opened anew", "err", err)
		}
	}
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		return nil, fmt.Errorf("%s is not free for the page: %w", at, err)
	}
	if k, socket := b.opts.Keeper, l.(*net.TCPListener); k != nil {
		if err := k.Keep(name, socket); err != nil {
			b.log.Warn("socket of the page would not outlive us", "err", err)
		}
	}
	return l, nil
}

// follow starts those who watch: the page, the trimming of the journal, the sign of life.
func (b *Box) follow(ctx context.Context) {
	words, err := page.All()
	if err != nil {
		b.log.Error("page cannot be shown", "err", err)
		return
	}
	hub := live.New(b.log.With("room", "page"), words, b.emptyOffice)
	pages, err := b.pages(hub, words)
	if err != nil {
		b.log.Error("page cannot be shown", "err", err)
		return
	}
	b.sayUnclaimed()
	if l := b.openControl(); l != nil { // before the page says that we are well
		b.wg.Go(func() { b.serveSocket(ctx, l, b.commands(), "prontoctl") })
	}
	b.serveFit(ctx)
	b.wg.Go(func() { hub.Run(ctx, b.watch) })
	serve := func(l net.Listener, cert front.Certificate) {
		b.wg.Go(func() {
			select { // who asks before waits in the socket: an office without its calls would be a lie
			case <-hub.Full():
			case <-ctx.Done():
				return
			}
			select { // what was restored may name who was erased since
			case <-b.erasures.gone:
				b.servePage(ctx, l, pages, cert)
			case <-ctx.Done():
			}
		})
	}
	serve(b.web, nil)
	if b.webTLS != nil {
		serve(b.webTLS, b.tlsSource.GetCertificate)
	}
	b.wg.Go(func() { b.followCalls(ctx) })
	b.wg.Go(func() { b.estimate(ctx) })
	b.wg.Go(func() { b.watchBans(ctx) })
	b.wg.Go(func() { b.watchAddresses(ctx) })
	if b.opts.Record != "" {
		b.wg.Go(func() { b.trim(ctx) })
	}
	if k := b.opts.Keeper; k != nil && k.WatchdogEvery() > 0 {
		b.wg.Go(func() { b.signOfLife(ctx, k.WatchdogEvery()/3) })
	}
}

// servePage answers until ctx ends, over HTTPS where there is a certificate.
func (b *Box) servePage(ctx context.Context, l net.Listener, h http.Handler, cert front.Certificate) {
	if err := front.Serve(ctx, l, h, cert); err != nil && !errors.Is(err, net.ErrClosed) {
		b.log.Error("page ended", "err", err)
	}
}

// pages serves the page.
func (b *Box) pages(hub *live.Hub, words map[string]*page.Renderer) (http.Handler, error) {
	var erase func() error
	if b.opts.Reset != "" {
		erase = b.askReset
	}
	var recordings web.Recordings
	if a := b.taping.archive; a != nil {
		recordings = &listening{archive: a, whole: b.taping.whole, since: map[string]time.Time{}}
	}
	return web.New(web.Config{
		Recordings: recordings,
		Log:        b.log.With("room", "page"), Pages: words, Hub: hub, Accounts: b.accounts, Language: b.language,
		LAN:  func(a netip.Addr) bool { return b.numbering.Load().lan(a) },
		Name: func() string { return b.numbering.Load().cfg.Box.Name }, People: b.answering, Queues: b.supervisable,
		Plain:   func() bool { return b.config().Web.PlainHTTP },
		TLSPort: b.config().Web.TLSListen.Port(),
		Ready:   b.ready, Present: b.present.document, Codes: b.codes, Settings: b.settings(), Voice: b.voice(),
		Backups: b.backups(), Erasures: b.erasurePages(), Traces: b.tracePages(), Network: b.network(), Board: b.machine(), Certificate: b.certificates(), Updates: b.updates(), Handover: b.handover, Licences: b.opts.Licences,
		Desk: b.desk, Command: b.ownCommand, Phone: pagePhone{b},
		Supervise: b.superviseFromPage, Caller: b.waitingCaller, Callbacks: b.callbacks, Conferences: b.conferencePages, Ladder: b.ladder, Capture: b.capture, Missed: b.missedCallers, Records: b.records, Reruns: b.reruns(), Zone: b.location, Holiday: func(day time.Time) (string, bool) { return b.numbering.Load().plan.Calendar.Holiday(day) }, Agent: b.agentPage, Order: b.orderFromPage,
		Setup: b.setupBox(), TestLamps: b.lamps.test, Erase: erase,
	})
}

// askReset asks whoever started this program for a factory reset; it ends us soon.
func (b *Box) askReset() error {
	b.log.Warn("the owner has the box forget everything")
	if err := os.WriteFile(b.opts.Reset, nil, 0o600); err != nil {
		return fmt.Errorf("ask for a factory reset: %w", err)
	}
	return nil
}

// codes are the feature codes of today.
func (b *Box) codes() (all []view.Code) {
	for _, c := range b.numbering.Load().plan.FeatureCodes() {
		all = append(all, view.Code{Code: string(c.Code), Action: string(c.Action), Behind: string(c.Behind())})
	}
	return all
}

func (b *Box) emptyOffice() *view.Model {
	c := b.numbering.Load().cfg
	var queues []view.Queue
	for _, q := range c.Queues {
		queues = append(queues, view.Queue{ID: q.ID, Name: q.Name, Number: q.Number})
	}
	var agents []view.Agent
	for _, a := range c.Agents {
		agents = append(agents, view.Agent{ID: a.ID, Name: a.Name})
	}
	m := view.NewModel(c.Box.Name, queues, agents)
	m.OfferSupervision(anySupervisor(&c))
	m.Owe(append(debts(&c), b.setup.Debts()...))
	return m
}

// debts is what a configuration still owes whoever depends on it.
func debts(c *config.Config) (all []view.Todo) {
	if c.Web.PlainHTTP {
		all = append(all, view.Todo{ID: "plain_http", Link: "/security", Severity: view.TodoInfo})
	}
	return all
}

// watch is the page's live.Source.
func (b *Box) watch(ctx context.Context, present func([]tel.Event), apply func(tel.Event)) {
	sub := b.feed.Subscribe(feed.Seq(1)<<62, 1024) // a place in the future: begins with a snapshot
	defer sub.Close()
	for {
		item, err := sub.Next(ctx)
		if err != nil {
			return
		}
		if item.Resync {
			present(item.Snapshot.([]tel.Event))
		} else {
			apply(item.Event)
		}
	}
}

// ready is nil when the box can take a call.
func (b *Box) ready() error {
	if v := b.health.Verdict(); !v.Fit {
		return fmt.Errorf("not fit to serve: failed %v, unknown %v", v.Failed, v.Unknown)
	}
	return nil
}

// What the journal holds longer than recordd needs it, so that past days can be run again. A queue call takes
// some 6 KB.
const (
	keepDecisions = 8 * 24 * time.Hour
	mostDecisions = 48 << 20 // bytes of the whole journal, which has 64 MiB at most
)

// trimEvery is how often recordd is asked what it has.
const trimEvery = 5 * time.Second

func (b *Box) trim(ctx context.Context) {
	client := store.NewClient(b.opts.Record)
	defer func() { _ = client.Close() }()
	status := func(ctx context.Context) (store.Status, error) {
		s, err := client.Status(ctx)
		if err == nil {
			b.reportDamage(s, time.Now())
		}
		b.reportAges()
		switch {
		case err != nil:
			b.report("recordd", false, "recordd does not answer: "+err.Error())
		case s.Trouble != "":
			b.report("recordd", false, s.Trouble)
		default:
			b.report("recordd", true, "")
		}
		return s, err
	}
	below := func(p store.Position) error {
		return b.history.TrimAged(journal.Pos(p), time.Now().Add(-keepDecisions), mostDecisions)
	}
	store.Trim(ctx, uint64(b.history.ID()), trimEvery, status, below, b.log.With("room", "records"))
}

// signOfLife tells the supervisor that the queues still decide: a process that runs and does not
// think is restarted.
func (b *Box) signOfLife(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		probe, cancel := context.WithTimeout(ctx, every)
		_, err := b.queues.Snapshot(probe)
		cancel()
		if err != nil {
			b.log.Error("queues do not answer; the supervisor is not told that we live", "err", err)
			continue
		}
		if err := b.opts.Keeper.Alive(); err != nil && !errors.Is(err, os.ErrClosed) {
			b.log.Warn("supervisor does not listen", "err", err)
		}
	}
}
