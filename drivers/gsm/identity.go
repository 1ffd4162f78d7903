package gsm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// identity is what a modem says of itself and of its SIM.
type identity struct{ maker, model, firmware, imei, iccid string }

// Identity says which modem a line is, wherever it is plugged in and however the kernel numbers its ports.
// Empty fields fit any.
type Identity struct {
	IMEI  string // of the modem (AT+CGSN)
	ICCID string // of the SIM
}

func (w Identity) fits(id identity) bool {
	return (w.IMEI == "" || w.IMEI == id.imei) && (w.ICCID == "" || w.ICCID == id.iccid)
}

// iccidQuestions are each maker's; the first that is answered with a number holds. The SIM answers before
// its PIN is known (ETSI TS 102 221 section 13.2).
var iccidQuestions = []string{"AT+CCID", "AT+CICCID", "AT+QCCID", "AT^ICCID?", "AT#CCID"}

// errOutOfStep means that the modem answers something else than it is asked.
var errOutOfStep = errors.New("its answers are out of step")

// identify asks who the modem is, chooses its dialect, and refuses one that is not the line's.
func (m *Modem) identify(ctx context.Context, s *session) error {
	again := ""
	for _, q := range []struct {
		text string
		into *string
	}{
		{"AT+CGMM", &s.id.model},
		{"AT+CGMI", &s.id.maker},
		{"AT+CGMR", &s.id.firmware},
		{"AT+CGSN", &s.id.imei},
		{"AT+CGMM", &again},
	} {
		r, err := s.engine.Do(ctx, at.Command{Text: q.text, Plain: true})
		if err != nil && !modemRefused(err) {
			return fmt.Errorf("ask %s: %w", q.text, err)
		}
		if len(r.Lines) > 0 {
			*q.into = valueOf(r.Lines[0])
		}
	}
	if again != s.id.model {
		// None of these answers names its question, so one that came late shifts them all.
		return fmt.Errorf("identify the modem: %w: %q and %q", errOutOfStep, s.id.model, again)
	}
	if s.id.model == "" && s.id.maker == "" && s.id.imei == "" {
		return faulty(tel.LineNotModem, "the device at the port answers and says not what it is")
	}
	s.dialect = dialectFor(s.id.maker, s.id.model)
	for _, q := range iccidQuestions {
		r, err := s.engine.Do(ctx, at.Command{Text: q, Plain: true})
		if err != nil && !modemRefused(err) {
			return fmt.Errorf("ask %s: %w", q, err)
		}
		if s.id.iccid = iccidOf(r.Lines); s.id.iccid != "" {
			break
		}
	}
	if !m.cfg.Identity.fits(s.id) {
		return faulty(tel.LineOtherModem, "the modem at %s is %s, its SIM %s", s.ports.Command, orUnknown(s.id.imei), orUnknown(s.id.iccid))
	}
	return nil
}

// valueOf is an information line without its prefix: some answer AT+CGMR with "+CGMR: ...".
func valueOf(l string) string {
	if _, value, found := strings.Cut(l, ":"); found {
		l = value
	}
	return strings.Trim(strings.TrimSpace(l), `"`)
}

// iccidOf finds the number of a SIM card: 18 to 20 digits (ITU-T E.118), of which some modems show a filler.
func iccidOf(lines []string) string {
	for _, l := range lines {
		n := strings.TrimRight(valueOf(l), "Ff")
		if len(n) >= 18 && len(n) <= 20 && strings.Trim(n, "0123456789") == "" {
			return n
		}
	}
	return ""
}

func orUnknown(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}

// AtPaths locates a modem at fixed paths, which may be symbolic links; audio may be empty.
func AtPaths(command, audio string) func() ([]Ports, error) {
	return func() ([]Ports, error) { return []Ports{{Command: command, Audio: audio}}, nil }
}

// OnUSB locates the modems of known kinds among the USB devices: the one in the given socket (sysfs
// devpath), or all when socket is empty. Where one product has its commands at two places both are offered:
// only an answer tells them apart. sys and dev are "/sys" and "/dev" outside tests.
func OnUSB(sys, dev, socket string) func() ([]Ports, error) {
	return func() ([]Ports, error) {
		devices, err := serialport.Discover(sys)
		if err != nil {
			return nil, err
		}
		var all []Ports
		for _, d := range devices {
			if socket != "" && d.Socket != socket {
				continue
			}
			for _, l := range layoutsOf(d) {
				command, ok := d.Port(dev, l.command)
				known := slices.ContainsFunc(all, func(p Ports) bool { return p.Command == command })
				if !ok || known {
					continue // its ports are still appearing, or another family has the same
				}
				audio, _ := d.Port(dev, l.audio)
				all = append(all, Ports{Command: command, Audio: audio, Device: d.Path})
			}
		}
		if len(all) == 0 {
			return nil, serialport.ErrMissing
		}
		return all, nil
	}
}

// layoutsOf are the layouts that a USB device may have.
func layoutsOf(d serialport.USBDevice) []usbLayout {
	var all []usbLayout
	for _, x := range dialects() {
		for _, l := range x.layouts {
			if d.Vendor == l.vendor && d.Product == l.product {
				all = append(all, l)
			}
		}
	}
	return all
}
