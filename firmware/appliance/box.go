package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/board/vitals"
	"github.com/pronto-pbx/pronto/firmware/acd"
	"github.com/pronto-pbx/pronto/firmware/acd/alarm"
	"github.com/pronto-pbx/pronto/firmware/acd/books/watch"
	"github.com/pronto-pbx/pronto/firmware/acd/ledger"
	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/audit"
	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/certificate"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/feed"
	"github.com/pronto-pbx/pronto/firmware/health"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/keeper"
	"github.com/pronto-pbx/pronto/firmware/mail"
	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/personal"
	"github.com/pronto-pbx/pronto/firmware/retention"
	"github.com/pronto-pbx/pronto/firmware/sip/ban"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	sipparty "github.com/pronto-pbx/pronto/firmware/sip/party"
	"github.com/pronto-pbx/pronto/firmware/sip/presence"
	"github.com/pronto-pbx/pronto/firmware/sip/registrar"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/toll/meter"
	"github.com/pronto-pbx/pronto/firmware/trace"
	"github.com/pronto-pbx/pronto/firmware/voicemail"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/settings"
	"github.com/pronto-pbx/pronto/ui/setup"
)

// Options is what cmd gives the box.
type Options struct {
	Log    *slog.Logger
	Live   *live.Live // the configuration; the box closes it
	Dir    string     // state that survives a power cut
	RunDir string     // state that survives a crash: on tmpfs
	// Hot is the file system that RunDir's journal is written on; nil: durable.Disk. Tests give one that ends the program
	// between a change and the message that depends on it.
	Hot    durable.FileSystem
	Keeper *keeper.Client // nil: sockets end with the process
	Board  Board
	Record string // recordd's socket; empty: nobody asks for records
	// Synthesiser says what the owner writes, in a language of the box, as a WAV file; nil: there is none.
	Synthesiser func(ctx context.Context, lang, text string) ([]byte, error)
	Gate        string // socket of the first program of the box, which owns its network; empty: the system does
	// Powered is the kernel's uptime when the box was switched on: for an hour after that a new box
	// can be claimed.
	Powered time.Duration
	// Reset is the file by which whoever started this program is asked for a factory reset; empty: nobody can be.
	Reset string
	// Licences is the file with the licences of all that the box was shipped with; empty: those of the programs
	// are shown.
	Licences string
	Walls    Walls
	Version  string // of the release; empty: of none
	Updates  settings.Updates
	Fit      string // socket on which the updater is told how the box is; empty: it is told by the one of prontoctl alone

	Carriers trunk.Directory // where carriers' hosts are; nil: DNS
	// Route finds which of our addresses leads to a remote one; nil: the kernel is asked.
	Route func(remote netip.AddrPort) netip.Addr
}

// Box is a running Pronto. Build makes it, Run runs it.
type Box struct {
	opts Options
	log  *slog.Logger

	numbering atomic.Pointer[numbering]
	booted    *config.Config // with which this process began
	born      time.Time
	hot       *journal.Hot
	history   *journal.History
	feed      *feed.Feed
	accounts  *access.Accounts
	audit     *audit.Log
	setup     *setup.Setup
	trails    trails
	lineTests lineTests
	strangers strangers
	estimates *estimates
	vitals    atomic.Pointer[vitals.Watch] // of the board; nil: it does not tell how it is
	present   *present
	contacts  contacts
	health    *health.Board
	selfCall  selfCall
	seen      atomic.Pointer[netip.Addr] // our address as somebody outside sees it; nil: nobody has said

	stack     *stack.Stack
	bans      *ban.Bans
	registrar *registrar.Registrar
	dialogs   *dialog.UA
	office    *sipparty.Office
	presence  *presence.Server
	keys      keys
	people    sync.Mutex // held while a person's state is shown to the phones
	trunks    trunks
	engine    *media.Engine
	sounds    *sounds
	lines     lines
	texts     texts
	sims      sims
	browsers  browsers
	calls     *call.Exchange
	toll      *meter.Meter
	queues    *acd.ACD
	ledger    *ledger.Ledger
	memories  *ledger.Memories
	books     *watch.Watch
	owed      *owed // finished records that the history does not take
	// remembered is what the disk knew of callers at the start.
	remembered []plan.Memory
	lamps      lamps
	doors      doors
	voicemail  *voicemail.Store
	erasures   erasures
	taping     taping

	conferences conferences
	trace       *trace.Ring   // the SIP messages of the last calls
	rtpTrace    rtpTrace      // their RTP, where that is permitted
	workshop    chan struct{} // holds one token while a sound is made
	mail        *mail.Queue
	web         net.Listener
	webTLS      net.Listener // nil: plain HTTP only
	tlsSource   *certificate.Source

	personal *personal.Owner
	callers  callers

	listener    soundWatch             // to how calls sound
	mu          sync.Mutex             // guards alarm, undisturbed and unstaffed
	alarm       *time.Timer            // takes the emergency off the page
	undisturbed map[tel.AgentID]bool   // who has asked not to be disturbed
	unstaffed   map[tel.QueueID]string // queues that their last agent has left, by name
	staffing    sync.Mutex             // serialises what is reported of it

	reach reach

	restored chan []tel.Standing // gives what the calls of an earlier process say of themselves, once they are back
	blank    bool                // the queues' owner remembers nothing
	alarms   *alarm.Watch

	ages    *retention.Clock
	records *store.Client // of the page; recordd may be away
	offered offered
	wg      sync.WaitGroup
}

// conditions are what health knows by name; the page has a sentence for each.
func conditions() []health.Spec {
	return append([]health.Spec{
		{Name: "sip", Severity: health.Error, Vital: true},
		{Name: "journal", Severity: health.Warn},
		{Name: "recordd", Severity: health.Warn},
		{Name: "books", Severity: health.Warn},
		{Name: "damage", Severity: health.Warn},
		{Name: "clock", Severity: health.Warn},
		{Name: "missed", Severity: health.Warn},
		{Name: "memories", Severity: health.Warn},
		{Name: "lamps", Severity: health.Warn},
		{Name: "buttons", Severity: health.Warn},
		{Name: "supplies", Severity: health.Warn},
		{Name: "toll", Severity: health.Warn},
		{Name: "emergency", Severity: health.Error},
		{Name: "toll_limit", Severity: health.Warn},
		{Name: "sms", Severity: health.Warn},
		{Name: "sms_full", Severity: health.Warn},
		{Name: "sms_flood", Severity: health.Warn},
		{Name: "sim_credit", Severity: health.Warn},
		{Name: "line_3g", Severity: health.Warn},
		{Name: "line_volte", Severity: health.Info},
		{Name: "personal", Severity: health.Warn},
		{Name: "lines", Severity: health.Error},
		{Name: "voicemail", Severity: health.Error},
		{Name: "recordings", Severity: health.Error},
		{Name: "recordings_changed", Severity: health.Error},
		{Name: "erasures", Severity: health.Error},
		{Name: "mail", Severity: health.Warn},
		{Name: "bans", Severity: health.Info},
		{Name: "sip_alg", Severity: health.Warn},
		{Name: "unstaffed", Severity: health.Warn},
		{Name: "config_file", Severity: health.Error},
		{Name: "config_later", Severity: health.Warn},
		{Name: "backup", Severity: health.Info},
		{Name: "setup", Severity: health.Info},
		{Name: "certificate", Severity: health.Warn},
		{Name: "update_back", Severity: health.Warn},
		{Name: "update_stale", Severity: health.Warn},
		{Name: "update_support", Severity: health.Warn},
		{Name: "confined", Severity: health.Warn},
		{Name: "firewall", Severity: health.Error},
	}, slices.Concat(alarmConditions(), soundConditions(), boardConditions(), memoryConditions())...)
}

// Build makes every room and wires them; nothing answers yet. On error everything is closed again.
func Build(opts Options) (b *Box, err error) {
	b = &Box{opts: opts, log: opts.Log, booted: opts.Live.Current(), born: time.Now(), records: store.NewClient(opts.Record), undisturbed: map[tel.AgentID]bool{}, unstaffed: map[tel.QueueID]string{}, restored: make(chan []tel.Standing, 1), workshop: make(chan struct{}, 1)}
	b.trunks.b, b.lines.b, b.lines.supplies.b, b.lamps.b = b, b, b, b
	b.doors.b, b.taping.b, b.conferences.b = b, b, b
	b.rtpTrace.open(b)
	b.openAlarms()
	opened := b // a failure returns no box
	defer func() {
		if err != nil {
			opened.close()
		}
	}()
	n, err := newNumbering(*opts.Live.Current())
	if err != nil {
		return nil, err
	}
	b.adopt(n)
	b.present = newPresent(n.plan.Zone)
	b.feed = feed.New(4096, b.present.snapshot)
	b.health = health.New(func(h tel.HealthChanged) { b.publish(h) }, conditions()...)
	steps := []struct {
		what string
		do   func() error
	}{
		{"web page", b.openWeb},
		{"erasures", b.openErasures}, // first: what this process writes of what was restored is told by its time
		{"journals", b.openJournals},
		{"toll guard", b.openToll},
		{"personal settings", b.openPersonal},
		{"lamps", b.openLamps},
		{"doors", b.openDoors},
		{"voicemail", b.openVoicemail},
		{"audio", b.openMedia},
		{"SIP", b.openSIP},
		{"who may use the page", b.openAccess},
		{"permission of traces", b.restoreRTPTrace},
		{"set-up", b.openSetup},
		{"mailboxes", b.openMailboxes},
		{"recordings", b.openRecordings},
		{"calls", b.openCalls},
		{"trunks", b.openTrunks},
		{"board of lines", b.openBoard},
		{"SIM cards", b.openSIMs},
		{"short messages", b.openTexts},
		{"lines", b.openLines},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			return nil, fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return b, nil
}

func (b *Box) openMedia() error {
	c := b.config().Media
	var err error
	if b.sounds, err = newSounds(b.opts.Dir, b.fileSound, b.ownSentence); err != nil {
		return err
	}
	b.engine, err = media.New(media.Config{
		Log: b.log.With("room", "media"), PortMin: c.PortMin, PortMax: c.PortMax, Bind: c.Bind, Keeper: b.socketKeeper(), Journal: b.hot,
		DSCP: audioMark(c.DSCP), OpusMax: opusMost(int(c.OpusMax)),
	})
	return err
}

func (b *Box) openSIP() error {
	c := b.config().SIP
	var err error
	b.openBans()
	if b.stack, err = stack.New(b.traced(b.guarded(b.placed(stack.Config{Log: b.log.With("room", "sip"), Keeper: b.socketKeeper(), UserAgent: "Pronto", DSCP: c.DSCP})))); err != nil {
		return err
	}
	if err := errors.Join(b.stack.ListenUDP(c.Listen), b.stack.ListenTCP(c.Listen), b.listenTLS()); err != nil {
		return err
	}
	b.registrar = registrar.New(b.registrarConfig())
	b.openPresence()
	b.office = sipparty.New(sipparty.Config{
		Log: b.log.With("room", "sip"), Engine: b.engine, Sounds: b.sounds, Language: b.language,
		Advertise: b.advertise, Secure: b.secure, Phones: b.registrar, Arrive: b.arrive, Open: b.open,
		Silent: func(d tel.DeviceID) { b.reach.changed(b, d) },
	})
	b.dialogs = dialog.New(dialog.Config{
		Log: b.log.With("room", "sip"), Stack: dialog.OnStack(b.stack), Journal: b.hot, UserAgent: "Pronto", Invite: b.office.Invite, Other: b.other,
		SessionExpires: sessionTimer(c.SessionExpires), MinSE: c.MinSE,
	})
	b.office.Use(b.dialogs)
	b.openBrowsers()
	b.stack.Screen(b.office.Screen)
	b.restoreBans()
	return nil
}

func (b *Box) arrive(in call.Arrival, makeLeg func(func(call.LegEvent)) call.Leg) (tel.CallID, error) {
	if err := screenSelfCall(in); err != nil {
		return "", err
	}
	return b.calls.Arrive(in, makeLeg)
}

// config is the configuration that calls and phones see at this instant; never to be changed.
func (b *Box) config() *config.Config { return &b.numbering.Load().cfg }

func (b *Box) language() string { return b.config().Box.Language }

// advertise is the address that our SDP names to the other end of a flow: the configured one if it is
// of the flow's family, or the one that the flow uses.
func (b *Box) advertise(f stack.Flow) netip.Addr {
	if a := b.config().SIP.Advertise; a.IsValid() && a.Is4() == f.Remote.Addr().Unmap().Is4() {
		return a
	}
	host, _ := b.stack.Contact(f)
	if a, err := netip.ParseAddr(host); err == nil {
		return a
	}
	return f.Local.Addr()
}

func (b *Box) openCalls() error {
	b.calls = call.New(call.Config{
		Log: b.log.With("room", "call"), Plan: b.plan, Dialer: dialer{b},
		Queue: func(m tel.ToQueue) bool { return b.queues.Tell(m) }, Command: b.command, Publish: b.publishCall,
		Record: func(r tel.CallEnded) { b.publishCall(r) }, Journal: b.hot, Clerk: b, Door: b.doors.open, Progress: b.presence.SetProgress,
		Supervise: b.supervise, Recorder: &b.taping, Rooms: &b.conferences,
	})
	if err := b.openConferences(); err != nil {
		return err
	}
	b.openEstimates()
	queues, agents := specs(b.config())
	kept := b.hot.Load(acd.HotKind)
	b.blank = len(kept) == 0
	waits := !b.blank || b.anyCalls() // for what an earlier process left
	if waits && kept == nil {
		kept = map[string][]byte{}
	} else if !waits {
		kept = nil
	}
	var err error
	b.queues, err = acd.New(acd.Config{
		Log: b.log.With("room", "queues"), Queues: queues, Agents: agents, Send: b.calls.Deliver, Publish: b.publish,
		History: historian{b.history}, Journal: b.hot, Kept: kept, Restored: b.restored, Remember: b.memories.Note,
		Estimate: b.estimates, ShiftEnd: b.shiftEnd, Zone: b.config().Box.Timezone,
	})
	if err != nil || waits {
		return err
	}
	return b.remind()
}

// firstLogin logs in who the configuration says starts the day at the desk.
func (b *Box) firstLogin() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, a := range b.config().Agents {
		if a.Login {
			if err := b.queues.Login(ctx, a.ID); err != nil {
				return fmt.Errorf("log in agent %q: %w", a.ID, err)
			}
		}
	}
	return nil
}

// Run takes over what an earlier process left, answers until ctx ends, and then ends the calls, or,
// when handOver is closed first, leaves them to the next process.
func (b *Box) Run(ctx context.Context, handOver <-chan struct{}) error {
	defer b.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b.restore()
	b.wg.Go(func() { b.keepErasing(ctx) })
	b.follow(ctx) // after what the earlier process left is there: the first picture is a whole one
	b.stack.Serve(b.dialogs)
	b.trunks.start()
	if err := b.health.Report("sip", true, "", time.Now()); err != nil {
		return err
	}
	b.opts.Live.Start(b.rooms()...)
	b.wg.Go(func() { b.openingHours(ctx) })
	b.wg.Go(func() { b.alarms.Run(ctx) })
	b.wg.Go(func() { b.lamps.watch(ctx) })
	b.wg.Go(func() { b.watchBackups(ctx) })
	b.wg.Go(func() { b.books.Run(ctx) })
	b.tellSetup(b.setup.Debts())
	b.wg.Go(func() { b.watchCertificate(ctx) })
	b.wg.Go(func() { b.watchUpdates(ctx) })
	b.wg.Go(func() { b.keepRecordings(ctx.Done()) })
	b.wg.Go(func() { b.checkRecordings(ctx) })
	b.wg.Go(func() { b.watchWalls(ctx) })
	b.wg.Go(func() { b.watchBoard(ctx) })
	b.wg.Go(func() { b.watchMemory(ctx) })
	b.wg.Go(func() { b.rtpTrace.run(ctx) })
	c := b.config()
	b.log.Info("ready", "sip", c.SIP.Listen, "web", c.Web.Listen, "phones", len(c.Phones),
		"queues", len(c.Queues), "trunks", len(c.Trunks), "lines", len(c.Lines))
	if k := b.opts.Keeper; k != nil {
		k.DropUntaken()
		if err := k.Ready(); err != nil {
			b.log.Warn("supervisor does not listen", "err", err)
		}
	}
	var err error
	select {
	case <-ctx.Done():
		err = b.end(b.calls.Close)
	case <-handOver:
		b.log.Info("handing calls over to the next process")
		err = b.end(b.calls.Abandon)
	}
	cancel()
	return err
}

// closeLimit is how long calls may take to say goodbye.
const closeLimit = 3 * time.Second

func (b *Box) end(how func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	if err := how(ctx); err != nil {
		return fmt.Errorf("calls did not end in time: %w", err)
	}
	return nil
}

// close lets go of everything that was opened, outer rooms first.
func (b *Box) close() {
	b.opts.Live.Close() // no room changes any more
	b.mu.Lock()
	if b.alarm != nil {
		b.alarm.Stop()
	}
	b.mu.Unlock()
	for _, l := range []net.Listener{b.web, b.webTLS} {
		if l != nil {
			_ = l.Close()
		}
	}
	_ = b.records.Close()
	b.trunks.close()
	b.closeSIMs()
	b.closeTexts()
	b.lines.close()
	if b.registrar != nil {
		b.registrar.Close()
	}
	if b.presence != nil {
		b.presence.Close()
	}
	if b.bans != nil {
		b.bans.Close()
	}
	if b.dialogs != nil {
		b.dialogs.Close()
	}
	if b.stack != nil {
		if err := b.stack.Close(); err != nil {
			b.log.Warn("SIP does not close", "err", err)
		}
	}
	b.closeBrowsers()
	b.closeConferences()
	if b.engine != nil {
		_ = b.engine.Close()
	}
	if b.queues != nil {
		b.queues.Close()
	}
	if b.ledger != nil {
		b.ledger.Close() // after what tells it
	}
	if b.memories != nil {
		b.memories.Close() // after the queues
	}
	if b.feed != nil {
		b.feed.Close()
	}
	b.lamps.stopButtons() // a press starts a goroutine that is waited for
	b.wg.Wait()
	if b.toll != nil {
		b.toll.Close()
	}
	if b.personal != nil {
		b.personal.Close()
	}
	b.closeVoicemail()
	b.closeRecordings()
	b.lamps.close()
	if err := b.doors.close(); err != nil {
		b.log.Warn("door relay does not close well", "err", err)
	}
	if b.owed != nil {
		b.owed.close()
	}
	if b.history != nil {
		_ = b.history.Close()
	}
	if b.ages != nil {
		b.ages.Close()
	}
	if b.audit != nil {
		_ = b.audit.Close()
	}
	if b.hot != nil {
		_ = b.hot.Close()
	}
}
