package peer

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The keys of RFC 3711 appendix B.3.
func TestRFC3711SessionKeysAreThoseOfTheAppendix(t *testing.T) {
	var k keying
	copy(k.key[:], unhex(t, "E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6"))
	session, mac, salt := make([]byte, 16), make([]byte, 20), make([]byte, 14)
	k.derive(0, session)
	k.derive(1, mac)
	k.derive(2, salt)
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"cipher key":  {session, "C61E7A93744F39EE10734AFE3FF7A087"},
		"cipher salt": {salt, "30CBBC08863D8C85D49DB34A9AE1"},
		"auth key":    {mac, "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"},
	} {
		if !bytes.Equal(c.got, unhex(t, c.want)) {
			t.Errorf("%s: %X, want %s", name, c.got, c.want)
		}
	}
}

// The key stream of RFC 3711 appendix B.2, whose SSRC and index are 0.
func TestRFC3711TheKeyStreamIsThatOfTheAppendix(t *testing.T) {
	var k keying
	s := newSeal(k)
	copy(s.salt[:], unhex(t, "F0F1F2F3F4F5F6F7F8F9FAFBFCFD"))
	var err error
	if s.block, err = aes.NewCipher(unhex(t, "2B7E151628AED2A6ABF7158809CF4F3C")); err != nil {
		t.Fatal(err)
	}
	stream := make([]byte, 32)
	s.crypt(stream, 0, 0)
	if want := unhex(t, "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB"); !bytes.Equal(stream, want) {
		t.Errorf("%X, want %X", stream, want)
	}
}

// A receiver follows the sequence over its end, also when the packets around it are missing or come late.
func TestRFC3711TheIndexGoesOnWhenTheSequenceWraps(t *testing.T) {
	k := *newKeying()
	send, receive := newSeal(k), newSeal(k)
	packet := func(index uint64) []byte {
		p := append([]byte{0x80, 8, byte(index >> 8), byte(index), 0, 0, 0, 0, 1, 2, 3, 4}, "speech"...)
		return send.protect(p, index)
	}
	for _, index := range []uint64{65500, 65535, 65536, 65534, 65540, 98000, 130000, 2*65536 - 1, 2*65536 + 3, 2*65536 - 2} {
		plain, err := receive.open(packet(index))
		if err != nil || string(plain[12:]) != "speech" {
			t.Errorf("index %d: %q, %v", index, plain, err)
		}
	}
	bad := packet(2*65536 + 4)
	bad[14] ^= 1
	if _, err := receive.open(bad); err == nil {
		t.Error("a changed packet is taken")
	}
}

func TestKeysAreReadAsTheyAreWritten(t *testing.T) {
	k := newKeying()
	k.tag = "7"
	got, ok := readKeying(k.line()[:len(k.line())-2])
	if !ok || got != *k {
		t.Errorf("%+v, want %+v", got, *k)
	}
	for _, line := range []string{"a=crypto:1", "a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:" + k.line(), "a=crypto:1 " + suite + " inline:c2hvcnQ="} {
		if _, ok := readKeying(line); ok {
			t.Errorf("%q is taken", line)
		}
	}
}
