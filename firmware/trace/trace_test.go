package trace

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/trace/capture"
)

var (
	noon  = time.Date(2026, 11, 28, 12, 0, 0, 123456789, time.UTC)
	box   = netip.MustParseAddrPort("192.0.2.1:5060")
	phone = netip.MustParseAddrPort("192.0.2.20:5062")
)

func message(first, callID string, more ...string) Message {
	text := first + "\r\nVia: SIP/2.0/UDP 192.0.2.20:5062;branch=z9hG4bK1\r\nCall-ID: " + callID + "\r\nCSeq: 1 INVITE\r\n" + strings.Join(more, "\r\n")
	if len(more) == 0 {
		text += "\r\n"
	}
	return Message{At: noon, Transport: "udp", Local: box, Remote: phone, Text: []byte(text)}
}

func TestOnlyWhatAnINVITEBeganIsRemembered(t *testing.T) {
	r := New(Limits{})
	r.Add(message("REGISTER sip:pronto SIP/2.0", "reg"))
	r.Add(message("SIP/2.0 200 OK", "reg"))
	r.Add(message("INVITE sip:202@pronto SIP/2.0", "a"))
	answer := message("SIP/2.0 180 Ringing", "a")
	answer.Out, answer.At = true, noon.Add(time.Second)
	r.Add(answer)
	r.Add(Message{Text: []byte("INVITE sip:x SIP/2.0\r\ni : short\r\n\r\n")})
	r.Add(Message{Text: []byte("INVITE sip:x SIP/2.0\r\n\r\nCall-ID: of the body\r\n")})
	r.Add(Message{})
	r.Bind("a", "c1")
	r.Bind("nobody", "c1")
	if n, _ := r.Size(); n != 2 || len(r.Find("reg")) != 0 || len(r.Find("of the body")) != 0 || len(r.Find("")) != 0 || len(r.Find("short")) != 1 {
		t.Errorf("%d dialogs", n)
	}
	for _, name := range []string{"a", "c1"} {
		got := Draw(Ladder(r.Find(name)))
		if want := "    0.000  udp:192.0.2.20:5062 ──> box  INVITE\n    1.000  udp:192.0.2.20:5062 <── box  180 Ringing\n"; got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestMemoryStaysBoundedWhateverComes(t *testing.T) {
	r := New(Limits{Dialogs: 50, Bytes: 100 << 10})
	for i := range 5000 {
		id := fmt.Sprint(i % 700)
		r.Add(message("INVITE sip:202@pronto SIP/2.0", id, "", strings.Repeat("x", i%3000)))
		dialogs, n := r.Size()
		if dialogs > 50 || n > 100<<10 || n < 0 {
			t.Fatalf("%d dialogs, %d bytes", dialogs, n)
		}
	}
	for range 1000 { // one loud dialog
		r.Add(message("INVITE sip:202@pronto SIP/2.0", "loud", "", strings.Repeat("x", 2000)))
	}
	d := r.Find("loud")
	if _, n := r.Size(); n > 100<<10 || len(d) != 1 || d[0].Lost == 0 || len(d[0].Messages) == 0 {
		t.Errorf("a loud dialog: %d bytes, %+v lost", n, len(d))
	}
	r.Add(message("INVITE sip:202@pronto SIP/2.0", "next"))
	if len(r.Find("next")) != 1 {
		t.Error("the newest call is not remembered")
	}
}

func TestTheOldestDialogIsForgottenAndNotTheOneThatStillTalks(t *testing.T) {
	r := New(Limits{Dialogs: 2})
	r.Add(message("INVITE sip:1 SIP/2.0", "a"))
	r.Add(message("INVITE sip:1 SIP/2.0", "b"))
	r.Add(message("SIP/2.0 200 OK", "a"))
	r.Add(message("INVITE sip:1 SIP/2.0", "c"))
	if len(r.Find("a")) != 1 || len(r.Find("b")) != 0 || len(r.Find("c")) != 1 {
		t.Error("the wrong one is forgotten")
	}
}

func TestWhatOpensDoorsIsCovered(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"the response of a digest": {
			"BYE sip:x SIP/2.0\r\nAuthorization: Digest username=\"201\", realm=\"pronto\", nonce=\"abc\", response = \"d41d8c\", cnonce=q, nc=00000001\r\n\r\n",
			"BYE sip:x SIP/2.0\r\nAuthorization: Digest username=\"201\", realm=\"pronto\", nonce=\"xxx\", response = \"xxxxxx\", cnonce=x, nc=00000001\r\n\r\n",
		},
		"one that is folded, and of another case": {
			"BYE sip:x SIP/2.0\r\nproxy-AUTHORIZATION: Digest username=\"201\",\r\n response=\"d41d\"\r\nFrom: a\r\n\r\n",
			"BYE sip:x SIP/2.0\r\nproxy-AUTHORIZATION: Digest username=\"201\",\r\nxxxxxxxxxx\"xxxx\"\r\nFrom: a\r\n\r\n",
		},
		"a password in the clear": {"BYE sip:x SIP/2.0\r\nAuthorization: Basic QWxhZGRpbg==\r\n\r\n", "BYE sip:x SIP/2.0\r\nAuthorization:xxxxxxxxxxxxxxxxxxx\r\n\r\n"},
		"a short one":             {"BYE sip:x SIP/2.0\r\nAuthorization: x\r\n\r\n", "BYE sip:x SIP/2.0\r\nAuthorization:xx\r\n\r\n"},
		"the keys of audio": {
			"INVITE sip:x SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nm=audio 1 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^20\r\nk=base64:c2Vj\r\n",
			"INVITE sip:x SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nm=audio 1 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:xxxxxxxxxxxxx\r\nk=xxxxxxxxxxx\r\n",
		},
		"a pressed digit":        {"INFO sip:x SIP/2.0\r\nc: application/dtmf-relay; x=y\r\n\r\nSignal=5\r\nDuration=160\r\n", "INFO sip:x SIP/2.0\r\nc: application/dtmf-relay; x=y\r\n\r\nxxxxxxxx\r\nxxxxxxxxxxxx\r\n"},
		"a text":                 {"MESSAGE sip:x SIP/2.0\r\n\r\nciao", "MESSAGE sip:x SIP/2.0\r\n\r\nxxxx"},
		"a PIN behind a code":    {"INVITE sip:*44201*1234@box SIP/2.0\r\nTo: <sip:*44201*1234@box>\r\n\r\n", "INVITE sip:*44xxxxxxxx@box SIP/2.0\r\nTo: <sip:*44xxxxxxxx@box>\r\n\r\n"},
		"what nobody must cover": {"INVITE sip:201@box SIP/2.0\r\nTo: <sip:201@box>\r\n\r\nbody", "INVITE sip:201@box SIP/2.0\r\nTo: <sip:201@box>\r\n\r\nbody"},
	} {
		t.Run(name, func(t *testing.T) {
			in := []byte(c.text)
			if got := string(Cover(in)); got != c.want || string(in) != c.text {
				t.Errorf("\n got %q\nwant %q", got, c.want)
			}
		})
	}
}

func FuzzCoverKeepsTheShapeAndIsDoneWhenItIsDone(f *testing.F) {
	f.Add([]byte("INFO sip:*1234@x SIP/2.0\r\nAuthorization: Digest response=\"a,b\r\nCall-ID: x\r\n\r\nk=1"))
	f.Add([]byte("INVITE \n:\nAuthorization:"))
	f.Fuzz(func(t *testing.T, b []byte) {
		once := Cover(b)
		if len(once) != len(b) || bytes.Count(once, []byte("\n")) != bytes.Count(b, []byte("\n")) {
			t.Fatalf("%q became %q", b, once)
		}
		r := New(Limits{})
		r.Add(Message{Text: append([]byte("INVITE "), b...), Local: box, Remote: phone})
		var out bytes.Buffer
		for _, d := range r.order {
			found := r.Find(d.CallID)
			if err := WritePcapng(&out, found, nil, nil); err != nil || len(Ladder(found)) != 1 {
				t.Fatal(err)
			}
		}
	})
}

// captured is a packet as a reader of captures sees it.
type captured struct {
	at       time.Time
	from, to netip.AddrPort
	text     string
	comment  string
}

// readCapture reads a pcapng file by the draft, and fails on what does not keep to it: lengths, checksums, padding.
func readCapture(t *testing.T, b []byte) (all []captured) {
	t.Helper()
	u32 := binary.LittleEndian.Uint32
	for n := 0; len(b) > 0; n++ {
		if len(b) < 12 || int(u32(b[4:])) > len(b) || u32(b[4:])%4 != 0 {
			t.Fatalf("block %d: %d bytes of %d", n, u32(b[4:]), len(b))
		}
		size := int(u32(b[4:]))
		kind, body := u32(b), b[8:size-4]
		if u32(b[size-4:]) != uint32(size) {
			t.Fatalf("block %d: its lengths differ", n)
		}
		b = b[size:]
		switch {
		case n == 0:
			if kind != 0x0a0d0d0a || u32(body) != 0x1a2b3c4d || body[4] != 1 {
				t.Fatalf("the section: %x", body)
			}
		case n == 1:
			if kind != 1 || body[0] != 101 || !bytes.Contains(body[8:], []byte{9, 0, 1, 0, 9}) {
				t.Fatalf("the interface: %x", body)
			}
		default:
			if kind != 6 || u32(body) != 0 || u32(body[12:]) != u32(body[16:]) {
				t.Fatalf("the packet: %x", body)
			}
			ns := int64(uint64(u32(body[4:]))<<32 | uint64(u32(body[8:])))
			size := int(u32(body[12:]))
			c := packet(t, body[20:20+size])
			c.at = time.Unix(0, ns).UTC()
			if options := body[20+(size+3)/4*4:]; len(options) > 0 {
				c.comment = string(options[4 : 4+binary.LittleEndian.Uint16(options[2:])])
			}
			all = append(all, c)
		}
	}
	return all
}

// packet takes an IP packet apart.
func packet(t *testing.T, b []byte) (c captured) {
	t.Helper()
	u16 := binary.BigEndian.Uint16
	sum := func(b []byte) uint16 { // RFC 1071, byte by byte
		var s uint32
		for i, x := range b {
			s += uint32(x) << (8 * (1 - i%2))
		}
		return uint16(s>>16 + s&0xffff + (s>>16+s&0xffff)>>16)
	}
	var src, dst netip.Addr
	var udp, pseudo []byte
	if b[0]>>4 == 4 {
		if int(u16(b[2:])) != len(b) || sum(b[:20]) != 0xffff || b[9] != 17 {
			t.Fatalf("IPv4: %x", b[:20])
		}
		src, _ = netip.AddrFromSlice(b[12:16])
		dst, _ = netip.AddrFromSlice(b[16:20])
		udp, pseudo = b[20:], slices.Clone(b[12:20])
	} else {
		if int(u16(b[4:])) != len(b)-40 || b[6] != 17 {
			t.Fatalf("IPv6: %x", b[:40])
		}
		src, _ = netip.AddrFromSlice(b[8:24])
		dst, _ = netip.AddrFromSlice(b[24:40])
		udp, pseudo = b[40:], slices.Clone(b[8:40])
	}
	pseudo = append(pseudo, 0, 17, udp[4], udp[5])
	if int(u16(udp[4:])) != len(udp) || sum(append(pseudo, udp...)) != 0xffff {
		t.Fatalf("UDP: %x", udp[:8])
	}
	c.from, c.to, c.text = netip.AddrPortFrom(src.Unmap(), u16(udp)), netip.AddrPortFrom(dst.Unmap(), u16(udp[2:])), string(udp[8:])
	return c
}

func TestACaptureIsReadAsItWasSent(t *testing.T) {
	r := New(Limits{})
	invite := message("INVITE sip:202@pronto SIP/2.0", "a")
	r.Add(invite)
	answer := message("SIP/2.0 200 OK", "a", "", "odd")
	answer.Out, answer.At, answer.Transport = true, noon.Add(time.Second), "tls"
	r.Add(answer)
	six := message("ACK sip:x SIP/2.0", "a")
	six.At, six.Local, six.Remote = noon.Add(2*time.Second), netip.MustParseAddrPort("[2001:db8::1]:5060"), netip.MustParseAddrPort("[2001:db8::2]:5062")
	r.Add(six)
	huge := message("INFO sip:x SIP/2.0", "a", "", strings.Repeat("x", 70_000))
	huge.At = noon.Add(3 * time.Second)
	r.Add(huge)
	var b bytes.Buffer
	if err := WritePcapng(&b, r.Find("a"), nil, nil); err != nil {
		t.Fatal(err)
	}
	got := readCapture(t, b.Bytes())
	if len(got) != 4 {
		t.Fatalf("%d packets", len(got))
	}
	for i, want := range []captured{
		{noon, phone, box, string(invite.Text), ""},
		{noon.Add(time.Second), box, phone, string(answer.Text), "tls"},
		{noon.Add(2 * time.Second), six.Remote, six.Local, string(six.Text), ""},
	} {
		if got[i] != want {
			t.Errorf("%d:\n got %+v\nwant %+v", i, got[i], want)
		}
	}
	if !strings.HasPrefix(string(huge.Text), got[3].text) || len(got[3].text) < 60_000 {
		t.Errorf("a huge message: %d bytes", len(got[3].text))
	}
}

func TestACaptureHasRTPBetweenItsMessagesAndSaysWhatIsCovered(t *testing.T) {
	r := New(Limits{})
	invite, bye := message("INVITE sip:202@pronto SIP/2.0", "a"), message("BYE sip:202@pronto SIP/2.0", "a")
	bye.At = noon.Add(3 * time.Second)
	r.Add(invite)
	r.Add(bye)
	six := netip.MustParseAddrPort("[2001:db8::2]:4002")
	sound := []capture.Packet{
		{At: noon.Add(2 * time.Second), Out: true, LocalPort: 16384, Remote: netip.MustParseAddrPort("192.0.2.20:4000"), Secured: true, Covered: capture.Key, Bytes: []byte("said")},
		{At: noon.Add(time.Second), LocalPort: 16384, Remote: netip.MustParseAddrPort("192.0.2.20:4000"), Bytes: []byte("heard")},
		{At: noon.Add(4 * time.Second), LocalPort: 16386, Remote: six, Control: true, Bytes: []byte("report")},
	}
	local := func(remote netip.AddrPort) netip.Addr { return box.Addr() } // has no way to the other family
	var b bytes.Buffer
	if err := WritePcapng(&b, r.Find("a"), sound, local); err != nil {
		t.Fatal(err)
	}
	audio := netip.AddrPortFrom(box.Addr(), 16384)
	want := []captured{
		{noon, phone, box, string(invite.Text), ""},
		{noon.Add(time.Second), sound[1].Remote, audio, "heard", ""},
		{noon.Add(2 * time.Second), audio, sound[0].Remote, "said", "SRTP, decrypted; covered: a key was pressed"},
		{noon.Add(3 * time.Second), phone, box, string(bye.Text), ""},
		{noon.Add(4 * time.Second), six, netip.AddrPortFrom(netip.IPv6Unspecified(), 16386), "report", ""},
	}
	if got := readCapture(t, b.Bytes()); !slices.Equal(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestWhoIsErasedLeavesNoMessage(t *testing.T) {
	r := New(Limits{})
	for call, id := range map[tel.CallID]string{"c1": "a", "c2": "b", "": "c"} {
		r.Add(message("INVITE sip:202@pronto SIP/2.0", id, "X: +39061234567"+id))
		r.Bind(id, call)
	}
	r.Add(message("INVITE sip:203@pronto SIP/2.0", "a2")) // the other leg of c1 does not name the person
	r.Bind("a2", "c1")
	gone, known := r.Forget(func(text []byte) bool { return bytes.Contains(text, []byte("+39061234567a")) })
	if len(gone) != 1 || !gone["c1"] || len(known) != 3 || len(r.Find("c1")) != 0 || len(r.Find("c2")) != 1 || len(r.Find("c")) != 1 {
		t.Errorf("gone %v, known %v", gone, known)
	}
	if n, size := r.Size(); n != 2 || size <= 0 || r.Call("b") != "c2" || r.Call("c") != "c" || r.Call("x") != "x" {
		t.Errorf("%d dialogs, %d bytes are left", n, size)
	}
}

func BenchmarkAdd(b *testing.B) {
	r := New(Limits{})
	invite, ringing, bye := message("INVITE sip:202@pronto SIP/2.0", "0000000", "", strings.Repeat("x", 700)), message("SIP/2.0 180 Ringing", "0000000"), message("BYE sip:x SIP/2.0", "0000000")
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		id := fmt.Appendf(nil, "%07d", n/7)
		m := [...]Message{invite, ringing, ringing, ringing, ringing, ringing, bye}[n%7]
		copy(m.Text[bytes.Index(m.Text, []byte("Call-ID: "))+9:], id)
		r.Add(m)
	}
}
