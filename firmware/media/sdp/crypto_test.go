package sdp

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// keyOf is a key that tests can tell from others.
func keyOf(s Suite, b byte) string {
	k, salt := s.Sizes()
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, k+salt))
}

// secured is our side with keys of our own.
func secured(t *testing.T, s Security) Local {
	t.Helper()
	l := localIPv4()
	l.Security = s
	var err error
	if l.Keys, err = DrawKeys(rand.Reader); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestACryptoLineIsReadStrictly(t *testing.T) {
	good := keyOf(AESCM128SHA80, 1)
	for _, c := range []struct {
		name, line string
		want       Crypto // the zero value: passed over
	}{
		{"the plain form", "1 AES_CM_128_HMAC_SHA1_80 inline:" + good, Crypto{AESCM128SHA80, good, ""}},
		{"a lifetime as a power", "1 AES_CM_128_HMAC_SHA1_80 inline:" + good + "|2^20", Crypto{AESCM128SHA80, good, ""}},
		{"a lifetime as a number", "1 AES_CM_128_HMAC_SHA1_80 inline:" + good + "|1048576", Crypto{AESCM128SHA80, good, ""}},
		{"a key indicator behind a lifetime", "1 AES_CM_128_HMAC_SHA1_80 inline:" + good + "|2^20|1:4", Crypto{AESCM128SHA80, good, "00000001"}},
		{"a key indicator alone", "7 AES_CM_128_HMAC_SHA1_80 inline:" + good + "|258:2", Crypto{AESCM128SHA80, good, "0102"}},
		{"a hint for the window", "1 AES_CM_128_HMAC_SHA1_32 inline:" + good + " WSH=128", Crypto{AESCM128SHA32, good, ""}},
		{"a parameter that may be ignored", "1 AES_CM_128_HMAC_SHA1_32 inline:" + good + " -foo", Crypto{AESCM128SHA32, good, ""}},
		{"GCM with 128 bits", "1 AEAD_AES_128_GCM inline:" + keyOf(AEADAES128GCM, 2), Crypto{AEADAES128GCM, keyOf(AEADAES128GCM, 2), ""}},
		{"GCM with 256 bits", "1 AEAD_AES_256_GCM inline:" + keyOf(AEADAES256GCM, 3), Crypto{AEADAES256GCM, keyOf(AEADAES256GCM, 3), ""}},
		{"no authentication", "1 AES_CM_128_HMAC_SHA1_80 inline:" + good + " UNAUTHENTICATED_SRTP", Crypto{}},
		{"no encryption", "1 AES_CM_128_HMAC_SHA1_80 inline:" + good + " UNENCRYPTED_SRTP", Crypto{}},
		{"no encryption of reports", "1 AES_CM_128_HMAC_SHA1_80 inline:" + good + " UNENCRYPTED_SRTCP", Crypto{}},
		{"key derivation that goes on", "1 AES_CM_128_HMAC_SHA1_80 inline:" + good + " KDR=1", Crypto{}},
		{"two keys", "1 AES_CM_128_HMAC_SHA1_80 inline:" + good + "|1:1;inline:" + good + "|2:1", Crypto{}},
		{"an unknown suite", "1 F8_128_HMAC_SHA1_80 inline:" + good, Crypto{}},
		{"another way to give the key", "1 AES_CM_128_HMAC_SHA1_80 uri:" + good, Crypto{}},
		{"a key that is too short", "1 AES_CM_128_HMAC_SHA1_80 inline:" + good[:36], Crypto{}},
		{"a key of another suite", "1 AES_CM_128_HMAC_SHA1_80 inline:" + keyOf(AEADAES128GCM, 2), Crypto{}},
		{"no base64", "1 AES_CM_128_HMAC_SHA1_80 inline:" + strings.Repeat("!", 40), Crypto{}},
		{"no tag", "x AES_CM_128_HMAC_SHA1_80 inline:" + good, Crypto{}},
		{"a tag of ten digits", "1234567890 AES_CM_128_HMAC_SHA1_80 inline:" + good, Crypto{}},
		{"a lifetime of no packets", "1 AES_CM_128_HMAC_SHA1_80 inline:" + good + "|0", Crypto{}},
		{"a lifetime beyond the counter", "1 AES_CM_128_HMAC_SHA1_80 inline:" + good + "|2^49", Crypto{}},
		{"a key indicator that does not fit its length", "1 AES_CM_128_HMAC_SHA1_80 inline:" + good + "|256:1", Crypto{}},
		{"a key indicator without length", "1 AES_CM_128_HMAC_SHA1_80 inline:" + good + "|2^20|1:0", Crypto{}},
		{"too much behind the key", "1 AES_CM_128_HMAC_SHA1_80 inline:" + good + "|2^20|1:4|x", Crypto{}},
		{"nothing", "", Crypto{}},
	} {
		got, ok := parseCrypto(c.line)
		if ok != (c.want != Crypto{}) || ok && got.Crypto != c.want {
			t.Errorf("%s: %v %#v %q, want %#v", c.name, ok, got, got.Key, c.want)
		}
	}
}

func TestAnOfferIsAnsweredAsSecretAsItIsOfferedAndAllowed(t *testing.T) {
	key := keyOf(AESCM128SHA80, 1)
	crypto := "a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:" + key
	const plain, secret, refused = "plain", "secret", "refused"
	for _, c := range []struct {
		name, proto, crypto                string
		off, accepted, offerable, required string
	}{
		{"plain RTP", "RTP/AVP", "", plain, plain, plain, refused},
		{"encrypted RTP", "RTP/SAVP", crypto, refused, secret, secret, secret},
		{"encrypted RTP with feedback", "RTP/SAVPF", crypto, refused, secret, secret, secret},
		{"RTP that may be encrypted", "RTP/AVP", crypto, plain, secret, secret, secret},
		{"encrypted RTP without a key", "RTP/SAVP", "", refused, refused, refused, refused},
		{"encrypted RTP with a key that we do not know", "RTP/SAVP", "a=crypto:1 NULL_HMAC_SHA1_80 inline:" + key, refused, refused, refused, refused},
		{"plain RTP with a key that we do not know", "RTP/AVP", "a=crypto:1 NULL_HMAC_SHA1_80 inline:" + key, plain, plain, plain, refused},
		{"keys by DTLS", "UDP/TLS/RTP/SAVP", crypto, refused, refused, refused, refused},
	} {
		lines := []string{"m=audio 5000 " + c.proto + " 8"}
		if c.crypto != "" {
			lines = append(lines, c.crypto)
		}
		for s, want := range map[Security]string{
			SecurityOff: c.off, SecurityAccepted: c.accepted, SecurityOffered: c.offerable, SecurityRequired: c.required,
		} {
			l := secured(t, s)
			body, m, err := Answer(offerOf(t, lines...), l)
			got := plain
			switch {
			case err != nil:
				got = refused
				if !errors.Is(err, ErrNoAudio) {
					t.Errorf("%s, %d: %v", c.name, s, err)
				}
			case m.SendKey.Suite != NoSuite:
				got = secret
			}
			if got != want {
				t.Errorf("%s is %s under security %d, want %s (%v)", c.name, got, s, want, err)
			}
			line := "a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:" + l.Keys[0].Key
			if got == secret && (m.SendKey != l.Keys[0] || m.RecvKey.Key != key || !strings.Contains(string(body), line) ||
				!strings.Contains(string(body), c.proto+" 8")) {
				t.Errorf("%s under security %d: %v, %v\n%s", c.name, s, m.SendKey, m.RecvKey, body)
			}
			if got == plain && strings.Contains(string(body), "crypto") {
				t.Errorf("%s under security %d names a key:\n%s", c.name, s, body)
			}
		}
	}
}

func TestTheFirstUsableKeyOfTheOfferIsTaken(t *testing.T) {
	l := secured(t, SecurityAccepted)
	body, m, err := Answer(offerOf(t, "m=audio 5000 RTP/SAVP 8",
		"a=crypto:1 AES_192_CM_HMAC_SHA1_80 inline:"+keyOf(AESCM128SHA80, 1),
		"a=crypto:2 AEAD_AES_256_GCM inline:"+keyOf(AEADAES256GCM, 2),
		"a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:"+keyOf(AESCM128SHA80, 3)), l)
	if err != nil || m.RecvKey.Suite != AEADAES256GCM || m.SendKey.Suite != AEADAES256GCM ||
		strings.Count(string(body), "a=crypto:") != 1 || !strings.Contains(string(body), "a=crypto:2 AEAD_AES_256_GCM") {
		t.Errorf("%v: %v\n%s", err, m, body)
	}
}

func TestOurOfferIsAsSecretAsWanted(t *testing.T) {
	for _, c := range []struct {
		security Security
		proto    string
		keys     int
	}{
		{SecurityOff, "RTP/AVP ", 0},
		{SecurityAccepted, "RTP/AVP ", 0},
		{SecurityOffered, "RTP/AVP ", 2},
		{SecurityRequired, "RTP/SAVP ", 2},
	} {
		l := secured(t, c.security)
		body := string(Offer(l))
		if !strings.Contains(body, c.proto) || strings.Count(body, "a=crypto:") != c.keys {
			t.Errorf("security %d:\n%s", c.security, body)
		}
		if c.keys > 0 && !strings.Contains(body, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"+l.Keys[0].Key) {
			t.Errorf("security %d does not prefer the suite that every telephone has:\n%s", c.security, body)
		}
	}
}

func TestAnAnswerToOurOfferSettlesTheKeys(t *testing.T) {
	theirs := keyOf(AESCM128SHA32, 9)
	for _, c := range []struct {
		name     string
		security Security
		lines    []string
		want     Suite
		refused  bool
	}{
		{"the second key was taken", SecurityRequired, []string{"m=audio 5000 RTP/SAVP 8", "a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:" + theirs}, AESCM128SHA32, false},
		{"an offer that may be declined is declined", SecurityOffered, []string{"m=audio 5000 RTP/AVP 8"}, NoSuite, false},
		{"an offer that may be declined is taken", SecurityOffered, []string{"m=audio 5000 RTP/AVP 8", "a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:" + theirs}, AESCM128SHA32, false},
		{"a tag that we did not give", SecurityRequired, []string{"m=audio 5000 RTP/SAVP 8", "a=crypto:3 AES_CM_128_HMAC_SHA1_32 inline:" + theirs}, NoSuite, true},
		{"a tag with another suite", SecurityRequired, []string{"m=audio 5000 RTP/SAVP 8", "a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:" + theirs}, NoSuite, true},
		{"plain audio where secret audio is required", SecurityRequired, []string{"m=audio 5000 RTP/AVP 8"}, NoSuite, true},
		{"secret audio without a key", SecurityRequired, []string{"m=audio 5000 RTP/SAVP 8"}, NoSuite, true},
		{"secret audio that we did not offer", SecurityAccepted, []string{"m=audio 5000 RTP/SAVP 8", "a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:" + theirs}, NoSuite, true},
	} {
		l := secured(t, c.security)
		l.Last = Offer(l)
		m, err := Accept(l, offerOf(t, c.lines...))
		if (err != nil) != c.refused || m.SendKey.Suite != c.want || m.RecvKey.Suite != c.want {
			t.Errorf("%s: %v, %v %v", c.name, err, m.SendKey, m.RecvKey)
		}
		if c.want != NoSuite && (m.RecvKey.Key != theirs || m.SendKey != l.Keys[c.want-AESCM128SHA80]) {
			t.Errorf("%s: the keys are not those of the lines", c.name)
		}
	}
}

// Hold, resume and a session refresh go on with the key in use, whoever offers, also when the process
// that drew it is gone: nothing else could keep the counters of RFC 3711 right.
func TestARenegotiationGoesOnWithTheKeyInUse(t *testing.T) {
	theirs := "a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:" + keyOf(AESCM128SHA80, 5)
	l := secured(t, SecurityAccepted)
	body, first, err := Answer(offerOf(t, "m=audio 5000 RTP/SAVP 8", theirs), l)
	if err != nil {
		t.Fatal(err)
	}
	next := secured(t, SecurityAccepted) // fresh keys, as after a restart
	next.Last = body
	_, again, err := Answer(offerOf(t, "m=audio 5000 RTP/SAVP 8", theirs, "a=sendonly"), next)
	if err != nil || again.SendKey != first.SendKey || again.RecvKey != first.RecvKey {
		t.Errorf("hold changes the keys: %v", err)
	}
	offer := Offer(next)
	if !bytes.Contains(offer, []byte("RTP/SAVP 8")) || !bytes.Contains(offer, []byte("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"+first.SendKey.Key)) {
		t.Errorf("our re-offer:\n%s", offer)
	}
	next.Last = offer
	m, err := Accept(next, offerOf(t, "m=audio 5000 RTP/SAVP 8", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"+keyOf(AESCM128SHA80, 6)))
	if err != nil || m.SendKey != first.SendKey || m.RecvKey.Key != keyOf(AESCM128SHA80, 6) {
		t.Errorf("their new key: %v, %v", err, m)
	}
	_, changed, err := Answer(offerOf(t, "m=audio 5000 RTP/SAVP 8", "a=crypto:1 AEAD_AES_128_GCM inline:"+keyOf(AEADAES128GCM, 5)), next)
	if err != nil || changed.SendKey.Suite != AEADAES128GCM || changed.SendKey.Key == first.SendKey.Key {
		t.Errorf("another suite: %v, %v", err, changed)
	}
	plain := secured(t, SecurityOffered)
	if plain.Last, _, err = Answer(offerOf(t, "m=audio 5000 RTP/AVP 8"), plain); err != nil {
		t.Fatal(err)
	}
	if offer := Offer(plain); bytes.Contains(offer, []byte("crypto")) {
		t.Errorf("plain audio becomes secret in the middle:\n%s", offer)
	}
}

func TestKeysNeverRepeatAndNeverShow(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		keys, err := DrawKeys(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			key, salt, err := k.Master()
			wantKey, wantSalt := k.Suite.Sizes()
			if err != nil || len(key) != wantKey || len(salt) != wantSalt || seen[k.Key] {
				t.Fatalf("%v: %d and %d bytes, seen %v, %v", k.Suite, len(key), len(salt), seen[k.Key], err)
			}
			seen[k.Key] = true
			if shown := fmt.Sprintf("%v %+v %#v", k, Media{SendKey: k}, k); strings.Contains(shown, k.Key) {
				t.Errorf("a log would show the key: %s", shown)
			}
		}
	}
	if _, err := DrawKeys(bytes.NewReader(make([]byte, 20))); err == nil {
		t.Error("keys were drawn from a source that ran dry")
	}
}

// What is read as a key is written back as the same key.
func FuzzCrypto(f *testing.F) {
	for s := AESCM128SHA80; s <= AEADAES256GCM; s++ {
		f.Add("1 " + s.String() + " inline:" + keyOf(s, 1))
		f.Add("12 " + s.String() + " inline:" + keyOf(s, 2) + "|2^31|77:3 WSH=64 -x")
	}
	f.Add("1 AES_CM_128_HMAC_SHA1_80 inline:|:|")
	f.Fuzz(func(t *testing.T, line string) {
		c, ok := parseCrypto(line)
		if !ok {
			return
		}
		key, salt, err := c.Master()
		k, s := c.Suite.Sizes()
		if err != nil || len(key) != k || len(salt) != s || k == 0 || len(c.MKI) > 2*maxMKI || len(c.MKI)%2 != 0 {
			t.Fatalf("%q became %#v, %v", line, c, err)
		}
		var w writer
		w.line("v=0")
		w.line("c=IN IP4 192.0.2.9")
		local := localIPv4()
		w.audio(&local, "RTP/SAVP", nil, 20, SendRecv, false, []cryptoLine{c})
		back, err := Parse(bytes.Replace(w.Bytes(), []byte("SAVP"), []byte("SAVP 8"), 1))
		c.MKI = "" // never written: our keys have none
		if err != nil || len(back.Streams) != 1 || len(back.Streams[0].crypto) != 1 || back.Streams[0].crypto[0] != c {
			t.Fatalf("%q came back as %v, %v", line, back, err)
		}
	})
}
