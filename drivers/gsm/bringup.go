package gsm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// bringUp is the outcome of one try to get a modem into service.
type bringUp struct {
	session *session
	cause   tel.LineCause // why there is none
	err     error

	ports    Ports
	answered bool   // it took commands
	restart  string // its restart command
}

// fault is an error that knows what the page shall say.
type fault struct {
	cause tel.LineCause
	err   error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

func faulty(cause tel.LineCause, format string, args ...any) error {
	return &fault{cause, fmt.Errorf(format, args...)}
}

// bring runs beside the owner: it waits until the lost device is closed, tries each candidate, and
// initialises the first that is the line's modem.
func (m *Modem) bring(ctx context.Context, closing <-chan struct{}) {
	defer m.started.Done()
	if closing != nil {
		<-closing
	}
	candidates, err := m.cfg.Locate()
	if err != nil {
		m.up <- bringUp{cause: lineCause(err), err: fmt.Errorf("find the modem: %w", err)}
		return
	}
	var best bringUp // the failure that says most
	for _, ports := range candidates {
		u := m.bringOne(ctx, ports)
		if u.session != nil || ctx.Err() != nil {
			m.up <- u
			return
		}
		if best.err == nil || telling(u.cause) > telling(best.cause) {
			best = u
		}
	}
	m.up <- best
}

// telling ranks failures: that of the line's own modem says more than that of a port which is not its.
func telling(c tel.LineCause) int {
	switch c {
	case tel.LineNoModem:
		return 0
	case tel.LineOtherModem:
		return 1
	case tel.LineInUse:
		return 2
	case tel.LineModemMute, tel.LineNotModem:
		return 3
	default:
		return 4
	}
}

// bringOne tries one candidate.
func (m *Modem) bringOne(ctx context.Context, ports Ports) bringUp {
	if ports.Device != "" && m.cfg.Awake != nil {
		if err := m.cfg.Awake(ports.Device); err != nil {
			m.log.Warn("modem may be suspended while nobody calls", "device", ports.Device, "error", err)
		}
	}
	s, err := m.open(ports)
	if err != nil {
		return bringUp{cause: lineCause(err), err: err, ports: ports}
	}
	if err = m.initialise(ctx, s); err == nil {
		return bringUp{session: s, ports: ports}
	}
	u := bringUp{cause: lineCause(err), err: err, ports: ports, answered: s.greeted, restart: s.dialect.reset}
	_ = s.engine.Close()
	return u
}

func lineCause(err error) tel.LineCause {
	var f *fault
	switch {
	case errors.As(err, &f):
		return f.cause
	case errors.Is(err, serialport.ErrInUse):
		return tel.LineInUse
	case errors.Is(err, serialport.ErrMissing):
		return tel.LineNoModem
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, at.ErrMute), errors.Is(err, at.ErrTimeout), errors.Is(err, at.ErrStopped), errors.Is(err, errOutOfStep), modemRefused(err):
		return tel.LineModemMute
	default:
		return tel.LineNoModem
	}
}

// baud is for UART modems; USB modems ignore it.
const baud = 115200

func (m *Modem) open(ports Ports) (*session, error) {
	port, err := m.cfg.Bus.OpenCommand(ports.Command)
	if err != nil {
		return nil, err
	}
	s := &session{ports: ports, dialect: &generic, inbox: make(chan item, inboxSize)}
	s.engine = at.Start(port, at.Config{
		Log: m.log, Recorder: m.recorder, Unsolicited: unsolicited,
		Timeout: m.timing.Reply, Probe: m.timing.Probe, Abort: m.timing.Rung[0],
		Deliver: func(l string) bool {
			if len(s.inbox) >= inboxLines {
				return false // the rest is for the answers to our own commands
			}
			s.inbox <- item{line: l}
			return true
		},
	})
	return s, nil
}

// firstWords is how often a modem that is still starting is called.
const firstWords = 10

func (m *Modem) initialise(ctx context.Context, s *session) error {
	if err := m.greet(ctx, s); err != nil {
		return err
	}
	s.greeted = true
	for len(s.inbox) > 0 { // the words of its start; a RING among them comes again
		<-s.inbox
	}
	if err := m.identify(ctx, s); err != nil {
		return err
	}
	if err := m.unlock(ctx, s); err != nil {
		return err
	}
	// Calls that an earlier process left are found before anything is set that could end them.
	if r, err := s.engine.Do(ctx, at.Command{Text: "AT+CLCC", Prefix: "+CLCC:"}); err == nil {
		s.found = parseCalls(r.Lines)
	}
	if len(s.found) == 0 {
		for _, t := range []string{"ATZ", "ATE0", "AT+CMEE=1"} { // ATZ brings the echo back
			if err := m.send(ctx, s, step{text: t, optional: t == "ATZ"}); err != nil {
				return err
			}
		}
		for _, st := range s.dialect.idleOnly {
			if err := m.send(ctx, s, st); err != nil {
				return err
			}
		}
	}
	quiet := s.engine.Stats().Echoes
	for _, st := range slices.Concat(s.dialect.settings, []step{secondCaller(m.cfg.SecondCaller)}) { // the dialect is all lines'
		if err := m.send(ctx, s, st); err != nil {
			return err
		}
	}
	if err := m.findSound(ctx, s); err != nil {
		return err
	}
	s.network = network{cs: -1, eps: -1}
	for _, q := range slices.Concat(surveyQuestions, s.dialect.survey) {
		r, err := s.engine.Do(ctx, at.Command{Text: q.text, Prefix: q.prefix})
		if err != nil && !modemRefused(err) {
			return fmt.Errorf("ask %s: %w", q.text, err)
		}
		s.network.learn(r.Lines)
	}
	s.echoes = s.engine.Stats().Echoes
	s.echoStuck = s.echoes > quiet
	return nil
}

// findSound asks whether this unit's firmware gives sound to a serial port, where its family may.
func (m *Modem) findSound(ctx context.Context, s *session) error {
	q := s.dialect.sound
	s.serial = q.serial && s.ports.Audio != ""
	if !s.serial || q.probe.text == "" {
		return nil
	}
	r, err := s.engine.Do(ctx, at.Command{Text: q.probe.text, Prefix: q.probe.prefix})
	if err != nil && !modemRefused(err) {
		return fmt.Errorf("ask for the sound: %w", err)
	}
	s.serial = err == nil && strings.Contains(strings.Join(r.Lines, " "), q.yes)
	return nil
}

// greet calls until the modem answers, and makes it silent and precise.
func (m *Modem) greet(ctx context.Context, s *session) error {
	var err error
	for range firstWords {
		_, err = s.engine.Do(ctx, at.Command{Text: "AT", Timeout: m.timing.Probe})
		if err == nil || !errors.Is(err, at.ErrTimeout) && !modemRefused(err) { // an ERROR may be for noise before
			break
		}
	}
	switch {
	case err == nil:
	case modemRefused(err):
		return faulty(tel.LineNotModem, "greet the modem: %w", err) // whatever it is, it takes no command
	default:
		if e := engineEnd(s.engine); e != nil {
			err = e
		}
		if st := s.engine.Stats(); errors.Is(err, at.ErrOverflow) || errors.Is(err, at.ErrMute) && (len(s.inbox) > 0 || st.Echoes+st.Strays > 0) {
			return faulty(tel.LineNotModem, "something speaks at %s and is no modem: %w", s.ports.Command, err)
		}
		return fmt.Errorf("greet the modem: %w", err)
	}
	for _, t := range []string{"ATE0", "AT+CMEE=1"} {
		if err := m.send(ctx, s, step{text: t, optional: true}); err != nil {
			return err
		}
	}
	return nil
}

// engineEnd is why the engine has ended, nil while it runs.
func engineEnd(e *at.Engine) error {
	select {
	case <-e.Done():
		return e.Err()
	default:
		return nil
	}
}

// modemRefused tells an answer that we do not like from no answer.
func modemRefused(err error) bool {
	var f at.Final
	return errors.As(err, &f)
}

func (m *Modem) send(ctx context.Context, s *session, st step) error {
	_, err := s.engine.Do(ctx, at.Command{Text: st.text, Prefix: st.prefix, Plain: st.plain})
	if err == nil || st.optional && modemRefused(err) {
		return nil
	}
	if e := engineEnd(s.engine); e != nil {
		err = e
	}
	return fmt.Errorf("set up %s: %w", st.text, err)
}

// pause waits for d; false means that ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// surveyQuestions are asked at start and then every Timing.Survey.
var surveyQuestions = []step{
	{text: "AT+CREG?", prefix: "+CREG:"},
	{text: "AT+CEREG?", prefix: "+CEREG:"},
	{text: "AT+COPS?", prefix: "+COPS:"},
	{text: "AT+CSQ", prefix: "+CSQ:"},
	{text: "AT+CIREG?", prefix: "+CIREG:"},
}

// learn takes answers and unsolicited lines alike.
func (n *network) learn(lines []string) {
	for _, l := range lines {
		switch {
		case strings.HasPrefix(l, "+CREG:"):
			if stat, ok := registration(l); ok {
				n.cs = stat
			}
		case strings.HasPrefix(l, "+CEREG:"):
			if stat, ok := registration(l); ok {
				n.eps = stat
			}
		case strings.HasPrefix(l, "+CSQ:"):
			if dBm, ok := signalStrength(l); ok {
				n.dBm = dBm
			}
		case strings.HasPrefix(l, "+COPS:"):
			n.operator = field(at.Fields(l), 2)
			if t := accessTechnology(field(at.Fields(l), 3)); t != "" {
				n.technology = t
			}
		default:
			n.learnRadio(l)
		}
	}
}

// service says whether calls can be made: registered at home or roaming in either domain, with voice.
func (n *network) service() tel.LineCause {
	voice := func(stat int) bool { return stat == 1 || stat == 5 || stat == 9 || stat == 10 }
	switch {
	case voice(n.cs), voice(n.eps):
		return tel.LineOK
	case n.cs == 3, n.eps == 3:
		return tel.LineDenied
	default:
		return tel.LineSearching
	}
}

func parseCalls(lines []string) []call {
	var calls []call
	for _, l := range lines {
		if c, ok := parseCall(l); ok && c.stat != statReleased {
			calls = append(calls, c)
		}
	}
	return calls
}
