//go:build guest

package inside

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"testing"
	"time"
)

// Events of linux/uhid.h.
const (
	uhidDestroy        = 1
	uhidOutput         = 6
	uhidCreate2        = 11
	uhidSetReport      = 13
	uhidSetReportReply = 14

	uhidData = 4096 // bytes of a report descriptor or a report
)

// The report descriptors of a device that takes 64 bytes, and of one that takes 8 as feature report 1.
var (
	takesOutput  = []byte{0x06, 0x00, 0xff, 0x09, 0x01, 0xa1, 0x01, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x40, 0x09, 0x01, 0x91, 0x02, 0xc0}
	takesFeature = []byte{0x06, 0x00, 0xff, 0x09, 0x01, 0xa1, 0x01, 0x85, 0x01, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x08, 0x09, 0x01, 0xb1, 0x02, 0xc0}
)

// hid is a USB light as the kernel sees it, seen from its inside.
type hid struct {
	t    *testing.T
	file *os.File
	read sync.WaitGroup

	mu      sync.Mutex
	reports [][]byte
}

func newHID(t *testing.T, vendor, product uint32, serial string, feature bool) *hid {
	t.Helper()
	f, err := os.OpenFile("/dev/uhid", os.O_RDWR, 0)
	must(t, err)
	h := &hid{t: t, file: f}
	descriptor := takesOutput
	if feature {
		descriptor = takesFeature
	}
	e := binary.LittleEndian.AppendUint32(nil, uhidCreate2)
	e = append(e, fixed("a light", 128)...)
	e = append(e, fixed("usb-test", 64)...)
	e = append(e, fixed(serial, 64)...)
	e = binary.LittleEndian.AppendUint16(e, uint16(len(descriptor)))
	e = binary.LittleEndian.AppendUint16(e, 3) // BUS_USB
	for _, v := range []uint32{vendor, product, 1, 0} {
		e = binary.LittleEndian.AppendUint32(e, v)
	}
	e = append(e, fixed(string(descriptor), uhidData)...)
	_, err = f.Write(e)
	must(t, err)
	h.read.Go(h.serve)
	t.Cleanup(h.unplug)
	return h
}

func fixed(text string, n int) []byte {
	b := make([]byte, n)
	copy(b, text)
	return b
}

// serve takes what the kernel tells the device, until the device is pulled out.
func (h *hid) serve() {
	e := make([]byte, 8192)
	for {
		n, err := h.file.Read(e)
		if err != nil {
			return
		}
		if n < 4+uhidData {
			continue
		}
		body := e[4:n]
		switch binary.LittleEndian.Uint32(e) {
		case uhidOutput: // data, size, kind
			h.told(body[:binary.LittleEndian.Uint16(body[uhidData:])])
		case uhidSetReport: // id, number, kind, size, data
			h.told(body[8 : 8+binary.LittleEndian.Uint16(body[6:])])
			answer := binary.LittleEndian.AppendUint32(nil, uhidSetReportReply)
			answer = append(answer, body[:4]...)
			answer = append(answer, 0, 0) // no error
			_, _ = h.file.Write(answer)
		}
	}
}

func (h *hid) told(report []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reports = append(h.reports, append([]byte(nil), report...))
}

// any reports whether the device was told something of the kind.
func (h *hid) any(is func([]byte) bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.reports {
		if is(r) {
			return true
		}
	}
	return false
}

// last is what the device was told last; nil: nothing yet.
func (h *hid) last() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.reports) == 0 {
		return nil
	}
	return h.reports[len(h.reports)-1]
}

// count is how often the device was told something.
func (h *hid) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.reports)
}

func (h *hid) until(what string, done func() bool) {
	h.t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.t.Fatalf("waited in vain for %s; the light was told % x", what, h.reports)
		}
	}
}

// unplug pulls the device out.
func (h *hid) unplug() {
	if h.file == nil {
		return
	}
	_, err := h.file.Write(binary.LittleEndian.AppendUint32(nil, uhidDestroy))
	err = errors.Join(err, h.file.Close())
	h.read.Wait()
	h.file = nil
	must(h.t, err)
}
