package sdp

import (
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Security is how much secrecy one side wants for its audio: SRTP (RFC 3711) with keys in the
// session description (RFC 4568).
type Security uint8

// The degrees of security.
const (
	// SecurityOff neither takes nor offers encryption.
	SecurityOff Security = iota
	// SecurityAccepted encrypts when the peer offers it; our own offers are plain.
	SecurityAccepted
	// SecurityOffered also offers it, so that a peer without it can decline (RFC 8643).
	SecurityOffered
	// SecurityRequired refuses audio that is not encrypted and offers only RTP/SAVP.
	SecurityRequired
)

// Suite is a transform of RFC 4568 section 6.2 or RFC 7714 section 14.2; the zero value is none.
type Suite uint8

// The suites that are understood.
const (
	NoSuite Suite = iota
	AESCM128SHA80
	AESCM128SHA32
	AEADAES128GCM
	AEADAES256GCM
)

// suites has the names and sizes: bytes of the master key and of its salt.
var suites = [...]struct {
	name      string
	key, salt int
}{
	NoSuite:       {},
	AESCM128SHA80: {"AES_CM_128_HMAC_SHA1_80", 16, 14},
	AESCM128SHA32: {"AES_CM_128_HMAC_SHA1_32", 16, 14},
	AEADAES128GCM: {"AEAD_AES_128_GCM", 16, 12},
	AEADAES256GCM: {"AEAD_AES_256_GCM", 32, 12},
}

// String is the suite's name in a=crypto, and empty for none.
func (s Suite) String() string {
	if int(s) < len(suites) {
		return suites[s].name
	}
	return fmt.Sprintf("suite(%d)", uint8(s))
}

// Sizes are the lengths of the master key and the master salt in bytes, 0 for no suite.
func (s Suite) Sizes() (key, salt int) {
	if int(s) < len(suites) {
		return suites[s].key, suites[s].salt
	}
	return 0, 0
}

func suiteByName(name string) Suite {
	for i := AESCM128SHA80; int(i) < len(suites); i++ {
		if suites[i].name == name {
			return i
		}
	}
	return NoSuite
}

// MarshalText writes the suite's name.
func (s Suite) MarshalText() ([]byte, error) {
	if int(s) >= len(suites) {
		return nil, fmt.Errorf("unknown SRTP suite %d", uint8(s))
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads the suite's name.
func (s *Suite) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*s = NoSuite
		return nil
	}
	if *s = suiteByName(string(text)); *s == NoSuite {
		return fmt.Errorf("unknown SRTP suite %.40q", text)
	}
	return nil
}

// Crypto is the key of one direction of a stream; the zero value says that it is not encrypted.
// Values are comparable: equal ones are the same key.
type Crypto struct {
	Suite Suite  `json:"suite,omitempty"`
	Key   string `json:"key,omitempty"` // master key and salt, base64 as in a=crypto
	MKI   string `json:"mki,omitempty"` // hexadecimal; what each packet carries to name the key, mostly nothing
}

// String names the suite and hides the key.
func (c Crypto) String() string { return c.Suite.String() }

// GoString hides the key from %#v.
func (c Crypto) GoString() string { return "sdp.Crypto{" + c.Suite.String() + "}" }

// Master decodes the master key and its salt.
func (c Crypto) Master() (key, salt []byte, err error) {
	k, s := c.Suite.Sizes()
	if k == 0 {
		return nil, nil, fmt.Errorf("%w: no SRTP suite", ErrMalformed)
	}
	all, err := base64.StdEncoding.DecodeString(c.Key)
	if err != nil || len(all) != k+s {
		return nil, nil, fmt.Errorf("%w: a key of %s is not %d bytes in base64", ErrMalformed, c.Suite, k+s)
	}
	return all[:k], all[k:], nil
}

// offeredSuites are those of our own offers. Two lines are enough: every telephone with SRTP has the
// first, and each line makes an INVITE longer that should fit into one datagram.
var offeredSuites = [...]Suite{AESCM128SHA80, AESCM128SHA32}

// DrawKeys makes a fresh key for each suite out of random, which is crypto/rand's Reader outside of
// tests. Every leg needs its own (RFC 4568 section 6.1).
func DrawKeys(random io.Reader) ([]Crypto, error) {
	var out []Crypto
	for s := AESCM128SHA80; int(s) < len(suites); s++ {
		b := make([]byte, suites[s].key+suites[s].salt)
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("draw an SRTP key: %w", err)
		}
		out = append(out, Crypto{Suite: s, Key: base64.StdEncoding.EncodeToString(b)})
	}
	return out, nil
}

// cryptoLine is one a=crypto of a peer that we can use.
type cryptoLine struct {
	tag string
	Crypto
}

const (
	maxCrypto = 16 // lines of one stream that are looked at
	maxMKI    = 128
)

// crypto reads "<tag> <suite> inline:<key||salt>[|<lifetime>][|<MKI>:<length>] [<session parameters>]"
// (RFC 4568 section 9.2). A line with anything that we do not do is passed over, as an answerer must
// (section 6.3): another line may fit.
func (s *Stream) cryptoLine(arg string) {
	if len(s.crypto) >= maxCrypto {
		return
	}
	if c, ok := parseCrypto(arg); ok && !slices.ContainsFunc(s.crypto, func(o cryptoLine) bool { return o.tag == c.tag }) {
		s.crypto = append(s.crypto, c)
	}
}

func parseCrypto(arg string) (c cryptoLine, ok bool) {
	f := strings.Fields(arg)
	if len(f) < 3 || len(f) > 12 {
		return c, false
	}
	tag, err := strconv.ParseUint(f[0], 10, 32)
	if err != nil || len(f[0]) > 9 {
		return c, false
	}
	c.tag = strconv.FormatUint(tag, 10)
	if c.Suite = suiteByName(f[1]); c.Suite == NoSuite {
		return c, false
	}
	for _, p := range f[3:] {
		// A hint for the replay window may be ignored, as may what begins with a dash (section 6.3.7).
		if !strings.HasPrefix(p, "WSH=") && !strings.HasPrefix(p, "-") {
			return c, false
		}
	}
	method, info, _ := strings.Cut(f[2], ":")
	if !strings.EqualFold(method, "inline") || strings.Contains(info, ";") {
		return c, false // several keys at once need a change of keys in the middle of the stream
	}
	parts := strings.Split(info, "|")
	c.Key = parts[0]
	if _, _, err := c.Master(); err != nil {
		return c, false
	}
	parts = parts[1:]
	if len(parts) > 0 && !strings.Contains(parts[0], ":") {
		if !lifetime(parts[0]) {
			return c, false
		}
		parts = parts[1:]
	}
	switch len(parts) {
	case 0:
		return c, true
	case 1:
		c.MKI, ok = keyIndicator(parts[0])
		return c, ok
	}
	return c, false
}

// lifetime checks the number of packets that a key may serve. No call comes near the least that is
// in use, 2^20 packets or six hours, and nobody ends one there: it is read and not enforced.
func lifetime(text string) bool {
	exponent, power := strings.CutPrefix(text, "2^")
	n, err := strconv.ParseUint(exponent, 10, 48)
	return err == nil && n > 0 && (!power || n <= 48)
}

// keyIndicator reads "<value>:<bytes>" and returns the bytes in hexadecimal.
func keyIndicator(text string) (string, bool) {
	value, size, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(size, 10, 8)
	if err != nil || n < 1 || n > maxMKI {
		return "", false
	}
	v, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return "", false
	}
	out := fmt.Sprintf("%0*x", 2*int(n), v)
	return out, len(out) == 2*int(n)
}

// profile splits the transport of an m= line: is it RTP, and must it be encrypted?
func profile(proto string) (rtp, secure bool) {
	switch strings.ToUpper(proto) {
	case "RTP/AVP", "RTP/AVPF":
		return true, false
	case "RTP/SAVP", "RTP/SAVPF":
		return true, true
	}
	return false, false
}

// keys are ours for each suite: those of the body that we sent last, so that a re-offer or another
// answer goes on with the key that is in use, else fresh ones.
func (l *Local) keys() []Crypto {
	out := slices.Clone(l.Keys)
	last, ok := l.lastAudio()
	if !ok {
		return out
	}
	for _, used := range last.crypto {
		if i := slices.IndexFunc(out, func(c Crypto) bool { return c.Suite == used.Suite }); i >= 0 {
			out[i] = used.Crypto
		} else {
			out = append(out, used.Crypto)
		}
	}
	return out
}

// lastAudio is the audio of the body that we sent last.
func (l *Local) lastAudio() (Stream, bool) {
	if l.Last == nil {
		return Stream{}, false
	}
	lines, ours := layout(*l)
	return lines[ours], true
}

// offeredCrypto are the keys of our next offer. A session that agreed on plain audio stays plain,
// and one that is encrypted stays so.
func (l *Local) offeredCrypto(previous *Stream) []cryptoLine {
	fresh := l.Last == nil && l.Security == SecurityOffered
	if !fresh && l.Security != SecurityRequired && len(previous.crypto) == 0 {
		return nil
	}
	var out []cryptoLine
	add := func(c Crypto) {
		if !slices.ContainsFunc(out, func(o cryptoLine) bool { return o.Suite == c.Suite }) {
			out = append(out, cryptoLine{strconv.Itoa(len(out) + 1), c})
		}
	}
	for _, used := range previous.crypto {
		add(used.Crypto)
	}
	for _, want := range offeredSuites {
		for _, c := range l.keys() {
			if c.Suite == want {
				add(c)
			}
		}
	}
	return out
}

// secure finds the keys of one stream of the peer, ours to send with and theirs to receive with; none
// when the audio is plain. Offered is what we offered when s answers us, and nil when s is an offer.
func (l *Local) secure(s *Stream, offered []cryptoLine, answering bool) (send, recv Crypto, err error) {
	_, must := profile(s.Proto)
	if l.Security == SecurityOff && answering {
		if must {
			err = fmt.Errorf("%w: the audio is offered only encrypted (%s), which is switched off here", ErrNoAudio, s.Proto)
		}
		return send, recv, err
	}
	for _, theirs := range s.crypto {
		if ours, ok := l.match(theirs, offered, answering); ok {
			return ours, theirs.Crypto, nil
		}
	}
	switch {
	case must:
		err = fmt.Errorf("%w: the audio is %s without a key of a kind that we have (a=crypto)", ErrNoAudio, s.Proto)
	case l.Security == SecurityRequired:
		err = fmt.Errorf("%w: the audio is not encrypted, which is required here", ErrNoAudio)
	}
	return send, recv, err
}

// match finds our key for one of theirs: in an answer to us by the tag that we gave it, else by the
// suite.
func (l *Local) match(theirs cryptoLine, offered []cryptoLine, answering bool) (Crypto, bool) {
	if !answering {
		for _, o := range offered {
			if o.tag == theirs.tag && o.Suite == theirs.Suite {
				return o.Crypto, true
			}
		}
		return Crypto{}, false
	}
	for _, c := range l.keys() {
		if c.Suite == theirs.Suite {
			return c, true
		}
	}
	return Crypto{}, false
}

// chosen is our line for an answer: their tag with our key (RFC 4568 section 5.1.2).
func (s *Stream) chosen(m *Media) []cryptoLine {
	for _, c := range s.crypto {
		if c.Crypto == m.RecvKey && m.SendKey.Suite != NoSuite {
			return []cryptoLine{{c.tag, m.SendKey}}
		}
	}
	return nil
}
