package gsm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
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

// resetEvery is how many failed initialisations of an answering modem lead to a restart of it.
const resetEvery = 3

// bring runs beside the owner: it waits until the lost device is closed, opens and initialises.
func (m *Modem) bring(ctx context.Context, closing <-chan struct{}, failures int) {
	defer m.started.Done()
	if closing != nil {
		<-closing
	}
	s, err := m.open()
	if err == nil {
		if err = m.initialise(ctx, s); err != nil {
			var mine *fault
			if failures%resetEvery == resetEvery-1 && !errors.As(err, &mine) && !errors.Is(err, at.ErrMute) {
				m.resets.Add(1)
				_, _ = s.engine.Do(ctx, at.Command{Text: s.dialect.reset, Timeout: m.timing.Reply})
			}
			_ = s.engine.Close()
		}
	}
	if err != nil {
		m.up <- bringUp{cause: lineCause(err), err: err}
		return
	}
	m.up <- bringUp{session: s}
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
	case errors.Is(err, at.ErrMute), errors.Is(err, at.ErrTimeout), errors.Is(err, at.ErrStopped):
		return tel.LineModemMute
	default:
		return tel.LineNoModem
	}
}

// baud is for UART modems; USB modems ignore it.
const baud = 115200

func (m *Modem) open() (*session, error) {
	ports, err := m.cfg.Locate()
	if err != nil {
		return nil, fmt.Errorf("find the modem: %w", err)
	}
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
	for _, st := range s.dialect.settings {
		if err := m.send(ctx, s, st); err != nil {
			return err
		}
	}
	s.network = network{cs: -1, eps: -1}
	for _, q := range slices.Concat(surveyQuestions, s.dialect.survey) {
		r, err := s.engine.Do(ctx, at.Command{Text: q.text, Prefix: q.prefix})
		if err != nil && !modemRefused(err) {
			return fmt.Errorf("ask %s: %w", q.text, err)
		}
		s.network.learn(r.Lines)
	}
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
		return faulty(tel.LineModemMute, "greet the modem: %w", err)
	default:
		if e := engineEnd(s.engine); e != nil {
			err = e
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

func (m *Modem) identify(ctx context.Context, s *session) error {
	for _, q := range []struct {
		text string
		into *string
	}{{"AT+CGMM", &s.id.model}, {"AT+CGMR", &s.id.firmware}, {"AT+CGSN", &s.id.imei}} {
		r, err := s.engine.Do(ctx, at.Command{Text: q.text, Plain: true})
		if err != nil && !modemRefused(err) {
			return fmt.Errorf("ask %s: %w", q.text, err)
		}
		if len(r.Lines) > 0 {
			_, value, found := strings.Cut(r.Lines[0], ":") // some answer with "+CGMR: ..."
			if !found {
				value = r.Lines[0]
			}
			*q.into = strings.TrimSpace(value)
		}
	}
	s.dialect = dialectFor(s.id.model)
	return nil
}

// cmeNoSIM and the others are numbers of 3GPP TS 27.007 section 9.2.
const (
	cmeNoSIM      = 10
	cmePINNeeded  = 11
	cmePUKNeeded  = 12
	cmeSIMFailure = 13
	cmeSIMBusy    = 14
)

// unlock gets past the SIM's PIN, with one try.
func (m *Modem) unlock(ctx context.Context, s *session) error {
	r, err := s.engine.Do(ctx, at.Command{Text: "AT+CPIN?", Prefix: "+CPIN:"})
	var f at.Final
	if errors.As(err, &f) {
		switch {
		case f.Number == cmeNoSIM, f.Number == cmeSIMFailure:
			return faulty(tel.LineNoSIM, "no SIM: %w", err)
		case f.Number == cmePINNeeded, f.Number == cmePUKNeeded:
			return faulty(tel.LineSIMPIN, "SIM is locked: %w", err)
		case f.Number == cmeSIMBusy:
			return faulty(tel.LineRestarting, "SIM is starting: %w", err)
		}
		return faulty(tel.LineNoSIM, "ask for the SIM: %w", err)
	}
	if err != nil {
		return fmt.Errorf("ask for the SIM: %w", err)
	}
	switch said := strings.Join(r.Lines, " "); {
	case strings.Contains(said, "READY"):
		return nil
	case strings.Contains(said, "SIM PIN") && !strings.Contains(said, "PIN2"):
		return m.enterPIN(ctx, s)
	default:
		return faulty(tel.LineSIMPIN, "SIM asks for %s", strings.TrimPrefix(said, "+CPIN: "))
	}
}

// enterPIN tries the PIN once, only where another wrong try would still leave one, and only when no
// earlier try is on record. The record is written first: a crash in between must count as a try.
func (m *Modem) enterPIN(ctx context.Context, s *session) error {
	if m.cfg.PIN == "" || m.cfg.PINs == nil {
		return faulty(tel.LineSIMPIN, "SIM wants a PIN and none is set")
	}
	if strings.ContainsFunc(m.cfg.PIN, func(r rune) bool { return r < '0' || r > '9' }) || len(m.cfg.PIN) < 4 || len(m.cfg.PIN) > 8 {
		return faulty(tel.LineSIMPIN, "the PIN that is set is not 4 to 8 digits")
	}
	key := pinKey(s.id.imei, m.cfg.PIN)
	if m.cfg.PINs.Tried(key) {
		return faulty(tel.LineSIMPIN, "the PIN was tried before and not accepted")
	}
	left, known := m.pinTries(ctx, s)
	if !known || left < 2 {
		return faulty(tel.LineSIMPIN, "only %d tries are known to be left for the PIN", left)
	}
	if err := m.cfg.PINs.Remember(key); err != nil {
		return faulty(tel.LineSIMPIN, "the try can not be put on record: %w", err)
	}
	if _, err := s.engine.Do(ctx, at.Command{Text: `AT+CPIN="` + m.cfg.PIN + `"`, Secret: true}); err != nil {
		return faulty(tel.LineSIMPIN, "enter the PIN: %w", err)
	}
	if err := m.cfg.PINs.Forget(key); err != nil {
		m.log.Warn("accepted PIN stays on record as tried", "error", err)
	}
	return m.awaitSIM(ctx, s)
}

// pinKey names one PIN on one modem, so that a corrected PIN may be tried. A part of a digest is enough:
// what stays on record is a PIN that did not work.
func pinKey(imei, pin string) string {
	sum := sha256.Sum256([]byte(imei + ":" + pin))
	return "pin-" + imei + "-" + hex.EncodeToString(sum[:4])
}

func (m *Modem) pinTries(ctx context.Context, s *session) (left int, known bool) {
	q := s.dialect.pinTries
	if q.text == "" {
		return 0, false
	}
	r, err := s.engine.Do(ctx, at.Command{Text: q.text, Prefix: q.prefix})
	if err != nil || len(r.Lines) == 0 {
		return 0, false
	}
	left, err = strconv.Atoi(field(at.Fields(r.Lines[0]), 0))
	return left, err == nil
}

// awaitSIM waits until the unlocked SIM has been read.
func (m *Modem) awaitSIM(ctx context.Context, s *session) error {
	for range firstWords {
		r, err := s.engine.Do(ctx, at.Command{Text: "AT+CPIN?", Prefix: "+CPIN:"})
		if err == nil && strings.Contains(strings.Join(r.Lines, " "), "READY") {
			return nil
		}
		if err != nil && !modemRefused(err) {
			return fmt.Errorf("ask for the SIM: %w", err)
		}
		if !pause(ctx, m.timing.AudioTry) {
			return ctx.Err()
		}
	}
	return faulty(tel.LineSIMPIN, "the SIM accepted the PIN and is not ready")
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
