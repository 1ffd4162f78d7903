package gsm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

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
		case f.Number == cmePINNeeded:
			return faulty(tel.LineSIMPIN, "SIM is locked: %w", err)
		case f.Number == cmePUKNeeded:
			return faulty(tel.LineSIMPUK, "SIM is locked: %w", err)
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
	case strings.Contains(said, "PUK"):
		return faulty(tel.LineSIMPUK, "SIM asks for %s", strings.TrimPrefix(said, "+CPIN: "))
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
	key := pinKey(s.id, m.cfg.PIN)
	if m.cfg.PINs.Tried(key) {
		return faulty(tel.LineWrongPIN, "the PIN was tried before and not accepted")
	}
	left, known := m.pinTries(ctx, s)
	if !known || left < 2 {
		return faulty(tel.LineWrongPIN, "only %d tries are known to be left for the PIN", left)
	}
	if err := m.cfg.PINs.Remember(key); err != nil {
		return faulty(tel.LineWrongPIN, "the try can not be put on record: %w", err)
	}
	if _, err := s.engine.Do(ctx, at.Command{Text: `AT+CPIN="` + m.cfg.PIN + `"`, Secret: true}); err != nil {
		return faulty(tel.LineWrongPIN, "enter the PIN: %w", err)
	}
	if err := m.cfg.PINs.Forget(key); err != nil {
		m.log.Warn("accepted PIN stays on record as tried", "error", err)
	}
	return m.awaitSIM(ctx, s)
}

// pinKey names one PIN of one SIM, in whatever modem, so that a corrected PIN may be tried; where the number
// of the SIM is not to be had the modem stands for it. A part of a digest is enough: what stays on record is a
// PIN that did not work.
func pinKey(id identity, pin string) string {
	card := id.iccid
	if card == "" {
		card = id.imei
	}
	sum := sha256.Sum256([]byte(card + ":" + pin))
	return "pin-" + card + "-" + hex.EncodeToString(sum[:4])
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
	left, err = strconv.Atoi(field(at.Fields(r.Lines[0]), q.field))
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
