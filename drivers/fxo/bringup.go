package fxo

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	port    Port
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

// lineCause is what the page says of an error.
func lineCause(err error) tel.LineCause {
	var f *fault
	switch {
	case errors.As(err, &f):
		return f.cause
	case errors.Is(err, errDrought), errors.Is(err, errNoEnd):
		return tel.LineAudioFault
	case errors.Is(err, serialport.ErrInUse):
		return tel.LineInUse
	case errors.Is(err, errMute), errors.Is(err, errFlood), errors.Is(err, errBusy), errors.Is(err, os.ErrDeadlineExceeded), refused(err):
		return tel.LineModemMute
	default:
		return tel.LineNoModem
	}
}

// refused tells an answer that we do not like from no answer.
func refused(err error) bool {
	var f at.Final
	return errors.As(err, &f)
}

// bring runs beside the owner: it waits until the lost device is closed, tries each candidate, and initialises the
// first that is the line's modem. first: a stream that is up is a call of an earlier process.
func (m *Modem) bring(ctx context.Context, closing <-chan struct{}, first bool) {
	defer m.started.Done()
	if closing != nil {
		<-closing
	}
	candidates, err := m.cfg.Locate()
	if err != nil {
		m.up <- bringUp{cause: lineCause(err), err: fmt.Errorf("find the modem: %w", err)}
		return
	}
	best := bringUp{cause: tel.LineNoModem, err: serialport.ErrMissing}
	for _, p := range candidates {
		if p.Device != "" && m.cfg.Awake != nil {
			if err := m.cfg.Awake(p.Device); err != nil {
				m.log.Warn("modem may be suspended while nobody calls", "device", p.Device, "error", err)
			}
		}
		s, err := m.open(ctx, p, first)
		if err == nil || ctx.Err() != nil {
			m.up <- bringUp{session: s, err: err, port: p}
			return
		}
		if cause := lineCause(err); best.cause == tel.LineNoModem || best.cause == tel.LineOtherModem {
			best = bringUp{cause: cause, err: err, port: p} // that of the line's own modem says more than another's
		}
	}
	m.up <- best
}

// open brings one modem into service.
func (m *Modem) open(ctx context.Context, p Port, first bool) (*session, error) {
	port, err := m.cfg.Bus.OpenAudio(p.Name)
	if err != nil {
		return nil, err
	}
	streams, err := m.calm(ctx, port, !first)
	if err != nil {
		_ = port.Close()
		return nil, err
	}
	s := &session{port: p, dialect: &generic, inbox: make(chan item, inboxSize), found: streams && first}
	s.link = startLink(port, link{
		log: m.log, recorder: m.recorder, timing: &m.timing, ends: usualEnds,
		deliver: func(n news) bool {
			if len(s.inbox) >= inboxNews {
				return false // the rest is for the answers to our own commands
			}
			s.inbox <- item{news: n}
			return true
		},
	})
	if err := m.initialise(ctx, s); err != nil {
		s.link.close()
		return nil, err
	}
	return s, nil
}

// streaming is how many bytes within Timing.Listen are sound and no text.
const streaming = 600

// calm listens whether sound flows that an earlier process left behind, and ends it; stuck: the modem may be in the
// middle of sound although none comes. It reports whether sound came.
func (m *Modem) calm(ctx context.Context, port serialport.Stream, stuck bool) (bool, error) {
	n, err := listen(port, m.timing.Listen)
	if err != nil {
		return false, err
	}
	streams := n >= streaming*int(m.timing.Listen/time.Millisecond)/250
	for try := 0; (n > 0 || stuck) && try < len(usualEnds) && ctx.Err() == nil; try++ {
		if err := port.SetWriteDeadline(time.Now().Add(writePatience)); err != nil {
			return streams, err
		}
		if _, err := port.Write([]byte(usualEnds[try])); err != nil {
			return streams, fmt.Errorf("end the sound of before: %w", err)
		}
		if _, err = listen(port, m.timing.Listen/2); err == nil {
			n, err = listen(port, m.timing.Listen/2) // what comes after the answer
		}
		if err != nil {
			return streams, err
		}
	}
	if n >= streaming/2 {
		return streams, errNoEnd
	}
	return streams, port.SetReadDeadline(time.Time{})
}

// listen reads for d and counts.
func listen(port serialport.Stream, d time.Duration) (n int, err error) {
	buf, until := make([]byte, 2048), time.Now().Add(d)
	if err := port.SetReadDeadline(until); err != nil {
		return 0, err
	}
	for time.Now().Before(until) {
		k, err := port.Read(buf)
		n += k
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return n, fmt.Errorf("read the modem: %w", err)
		}
	}
	return n, nil
}

// firstWords is how often a modem that is still starting is called.
const firstWords = 5

func (m *Modem) initialise(ctx context.Context, s *session) error {
	var err error
	for range firstWords {
		if _, err = s.link.do(ctx, command{text: "AT", timeout: m.timing.Reply}); err == nil || !refused(err) {
			break
		}
	}
	if refused(err) {
		return faulty(tel.LineNotModem, "the device at %s takes no command: %w", s.port.Name, err)
	}
	if err != nil {
		return fmt.Errorf("greet the modem: %w", err)
	}
	start := []string{"ATZ", "ATE0V1"}
	if s.found { // a reset would hang the call up
		start = start[1:]
	}
	for _, c := range start {
		if _, err := s.link.do(ctx, command{text: c}); err != nil {
			return fmt.Errorf("start with %s: %w", c, err)
		}
	}
	if err := m.identify(ctx, s); err != nil {
		return err
	}
	if err := m.choose(ctx, s); err != nil {
		return err
	}
	for len(s.inbox) > 0 { // the words of its start; a RING among them comes again
		<-s.inbox
	}
	return nil
}

// identify asks who the modem is, and refuses one that is not the line's.
func (m *Modem) identify(ctx context.Context, s *session) error {
	var said []string
	for _, q := range []string{"AT+GMI", "AT+GMM", "AT+GMR", "AT+FMI?", "ATI3"} {
		r, err := s.link.do(ctx, command{text: q, plain: true})
		if err != nil && !refused(err) {
			return fmt.Errorf("ask %s: %w", q, err)
		}
		said = append(said, r.lines...)
	}
	s.said = strings.Join(said, " ")
	s.dialect = dialectFor(s.said)
	if m.cfg.Chip != "" && !strings.Contains(strings.ToUpper(s.said), strings.ToUpper(m.cfg.Chip)) {
		return faulty(tel.LineOtherModem, "the modem at %s is %q, and the line's is %s", s.port.Name, s.said, m.cfg.Chip)
	}
	return nil
}

// choose sets the modem up for voice and finds out what it can carry.
func (m *Modem) choose(ctx context.Context, s *session) error {
	ask := func(text string) (reply, bool, error) {
		r, err := s.link.do(ctx, command{text: text, plain: true})
		if err != nil && !refused(err) {
			return r, false, fmt.Errorf("set up %s: %w", text, err)
		}
		return r, err == nil, nil
	}
	classes, ok, err := ask("AT+FCLASS=?")
	if err != nil {
		return err
	}
	if !ok || !hasClass8(classes.lines) {
		old, ok, err := ask("AT#CLS=?")
		if err != nil {
			return err
		}
		if !ok || !hasClass8(old.lines) {
			return faulty(tel.LineNoVoice, "the modem %q has no voice mode", s.said)
		}
		s.dialect = &rockwell
		return nil // rings are told; there is no sound for us
	}
	settings := append(append([]string{fmt.Sprintf("AT+GCI=%02X", m.cfg.Country)}, common...), s.dialect.settings...)
	for _, c := range append(settings, "AT+FCLASS=8") {
		if _, ok, err := ask(c); err != nil {
			return err
		} else if !ok && c == "AT+FCLASS=8" {
			return faulty(tel.LineNoVoice, "the modem %q refuses its voice mode", s.said)
		}
	}
	if _, ok, err = ask("AT+VCID=1"); err == nil && !ok {
		_, ok, err = ask("AT+VCID=2") // unformatted
	}
	if err != nil {
		return err
	}
	if err = m.chooseFormat(s, ask); err == nil {
		s.snoops = !ok && s.duplex
	}
	return err
}

// chooseFormat picks the best of the modem's own list, and learns whether it does both directions at once.
func (m *Modem) chooseFormat(s *session, ask func(string) (reply, bool, error)) error {
	list, _, err := ask("AT+VSM=?")
	if err != nil {
		return err
	}
	f, known := bestFormat(list.lines, s.dialect.named)
	if !known || s.dialect.half {
		s.format = f
		return nil
	}
	_, taken, err := ask(f.command())
	if err == nil && !taken {
		_, taken, err = ask(fmt.Sprintf("AT+VSM=%d,%d", f.code, sampleRate))
	}
	if err != nil || !taken {
		return err
	}
	if _, s.duplex, err = ask("AT+VTR=?"); err != nil {
		return err
	}
	s.format = f
	s.duplex = s.duplex || s.dialect == &conexant // proved on such chips, though some firmware does not answer the question
	if m.cfg.Recall != RecallOff {
		s.flashes, err = m.flashesItself(s.dialect, ask)
	}
	return err
}

// hasClass8 reads the answer to +FCLASS=?: "0,1,1.0,8", in brackets or not.
func hasClass8(lines []string) bool {
	for _, l := range lines {
		if _, after, found := strings.Cut(l, ":"); found {
			l = after
		}
		for f := range strings.SplitSeq(strings.Trim(strings.TrimSpace(l), "()"), ",") {
			if strings.Trim(f, ` "()`) == "8" {
				return true
			}
		}
	}
	return false
}

// parseVolts reads a voltmeter: volts with a fraction, or a register in hexadecimal whose upper byte has the volts with
// their sign. ok is false for no answer of that kind.
func parseVolts(lines []string, signed bool) (volts int, ok bool) {
	for _, l := range lines {
		if _, after, found := strings.Cut(l, ":"); found {
			l = after
		}
		l = strings.TrimSpace(l)
		if signed {
			if n, err := strconv.ParseUint(l, 16, 16); err == nil {
				return int(int8(n >> 8)), true
			}
			continue
		}
		if v, err := strconv.ParseFloat(strings.TrimSuffix(strings.ToUpper(l), "V"), 64); err == nil && v >= -120 && v <= 120 {
			return int(v), true
		}
	}
	return 0, false
}
