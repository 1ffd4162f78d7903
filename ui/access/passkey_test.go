package access

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// device is somebody's telephone with one passkey, honest unless told otherwise.
type device struct {
	t       *testing.T
	key     *ecdsa.PrivateKey
	id      []byte
	handle  []byte // of its user
	count   uint32
	unasked bool // answers without having asked for finger or PIN
	origin  string
	host    string
}

var atHome = Site{Host: "pronto-7f3a.local", Origin: "https://pronto-7f3a.local:8443"}

func newDevice(t *testing.T) *device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	return &device{t: t, key: key, id: id, origin: atHome.Origin, host: atHome.Host}
}

var b64 = base64.RawURLEncoding

// proof begins what a device signs (WebAuthn section 6.1).
func (d *device) proof(flags byte) []byte {
	sum := sha256.Sum256([]byte(d.host))
	if !d.unasked {
		flags |= 0x04 // user verified
	}
	return binary.BigEndian.AppendUint32(append(sum[:], flags|0x01), d.count)
}

func (d *device) client(kind string, options json.RawMessage) []byte {
	d.t.Helper()
	var o struct {
		Challenge string
		User      struct{ ID string }
	}
	if err := json.Unmarshal(options, &o); err != nil {
		d.t.Fatal(err)
	}
	if o.User.ID != "" {
		d.handle, _ = b64.DecodeString(o.User.ID)
	}
	text, _ := json.Marshal(map[string]any{"type": kind, "challenge": o.Challenge, "origin": d.origin, "crossOrigin": false})
	return text
}

// register answers navigator.credentials.create.
func (d *device) register(options json.RawMessage) []byte {
	d.t.Helper()
	client := d.client("webauthn.create", options)
	public, err := d.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		d.t.Fatal(err)
	}
	cose, err := cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: public[1:33], -3: public[33:]})
	if err != nil {
		d.t.Fatal(err)
	}
	data := append(d.proof(0x40), make([]byte, 16)...)
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(d.id))), d.id...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": append(data, cose...)})
	if err != nil {
		d.t.Fatal(err)
	}
	return d.credential(map[string]any{"clientDataJSON": b64.EncodeToString(client), "attestationObject": b64.EncodeToString(object)})
}

// sign answers navigator.credentials.get.
func (d *device) sign(options json.RawMessage) []byte {
	d.t.Helper()
	client := d.client("webauthn.get", options)
	d.count++
	data := d.proof(0)
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(slices.Clone(data), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, d.key, sum[:])
	if err != nil {
		d.t.Fatal(err)
	}
	return d.credential(map[string]any{
		"clientDataJSON": b64.EncodeToString(client), "authenticatorData": b64.EncodeToString(data),
		"signature": b64.EncodeToString(signature), "userHandle": b64.EncodeToString(d.handle),
	})
}

func (d *device) credential(response map[string]any) []byte {
	text, _ := json.Marshal(map[string]any{
		"id": b64.EncodeToString(d.id), "rawId": b64.EncodeToString(d.id), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{},
	})
	return text
}

// withPasskey is a box whose owner anna has a passkey.
func withPasskey(t *testing.T) (*box, *device) {
	t.Helper()
	b, _ := claimed(t)
	d := newDevice(t)
	options, token, err := b.BeginPasskey("Anna", "Bottega", atHome)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.AddPasskey("anna", token, " Telefono ", "Bottega", d.register(options), here); err != nil {
		t.Fatal(err)
	}
	return b, d
}

// enter signs in with a device.
func (b *box) enter(d *device, at Site, from Visitor) (string, error) {
	b.t.Helper()
	options, token, err := b.BeginPasskeySignIn("Bottega", at, from)
	if err != nil {
		return "", err
	}
	return b.PasskeySignIn(token, "Bottega", d.sign(options), from)
}

func TestAPasskeyOpensTheDoorWithoutAPasswordAlsoAfterARestart(t *testing.T) {
	b, d := withPasskey(t)
	for range 2 {
		session, err := b.enter(d, atHome, there)
		if err != nil {
			t.Fatal(err)
		}
		if u, ok := b.Who(session, false); !ok || u.Name != "anna" || len(u.Passkeys) != 1 || u.Passkeys[0].Label != "Telefono" || u.Passkeys[0].Used.IsZero() {
			t.Errorf("%v %+v", ok, u)
		}
		b.start(time.Now())
	}
	if users := b.Users(); users[0].Passkeys != nil || users[0].Handle != nil {
		t.Errorf("the list of users shows keys: %+v", users[0])
	}
	if !slices.Contains(b.deeds(), DeedPasskeyAdded) {
		t.Errorf("on record: %v", b.deeds())
	}
}

func TestAPasskeyOfAnotherSiteOrCopyOrAnswerIsRefusedAndSlowsItsSenderDown(t *testing.T) {
	for name, spoil := range map[string]func(d *device){
		"another page asked for it":               func(d *device) { d.origin = "https://pronto-7f3a.local.evil.example" },
		"it is for another name":                  func(d *device) { d.host = "evil.example" },
		"nobody's finger was asked for":           func(d *device) { d.unasked = true },
		"another key signed":                      func(d *device) { d.key = newDevice(d.t).key },
		"a key that the box does not know":        func(d *device) { d.id = newDevice(d.t).id },
		"somebody whom the box does not know":     func(d *device) { d.handle = []byte("a stranger's thirty-two bytes....") },
		"no somebody at all":                      func(d *device) { d.handle = nil },
		"a copy that was used fewer times before": func(d *device) { d.count = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			b, d := withPasskey(t)
			for range 3 { // so that a copy is behind
				if _, err := b.enter(d, atHome, here); err != nil {
					t.Fatal(err)
				}
			}
			spoil(d)
			for try := range freeTries {
				if s, err := b.enter(d, atHome, there); !errors.Is(err, ErrPasskey) || s != "" {
					t.Fatalf("try %d: %v", try, err)
				}
				if name == "a copy that was used fewer times before" {
					d.count = 0
				}
			}
			var soon TooSoonError
			if _, err := b.enter(d, atHome, there); !errors.As(err, &soon) {
				t.Errorf("after %d wrong ones: %v", freeTries, err)
			}
			if !slices.Contains(b.deeds(), DeedWrongPasskey) {
				t.Errorf("on record: %v", b.deeds())
			}
		})
	}
}

func TestAnAnswerCountsOnceAndForFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d := withPasskey(t)
		options, token, err := b.BeginPasskeySignIn("Bottega", atHome, here)
		if err != nil {
			t.Fatal(err)
		}
		said := d.sign(options)
		if _, err := b.PasskeySignIn(token, "Bottega", said, here); err != nil {
			t.Fatal(err)
		}
		_, err = b.PasskeySignIn(token, "Bottega", said, here)
		b.wants("the same answer again", err, ErrStale)

		_, token, err = b.BeginPasskeySignIn("Bottega", atHome, here)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.PasskeySignIn(token, "Bottega", said, here) // of an earlier question
		b.wants("an answer to another question", err, ErrPasskey)

		options, token, err = b.BeginPasskeySignIn("Bottega", atHome, here)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(ceremonyFor)
		_, err = b.PasskeySignIn(token, "Bottega", d.sign(options), here)
		b.wants("after five minutes", err, ErrStale)
	})
}

func TestAPasskeyIsAddedByItsPersonUnderANameOfTheBox(t *testing.T) {
	b, d := withPasskey(t)
	for _, host := range []string{"192.168.1.2", "::1", "[::1]"} {
		_, _, err := b.BeginPasskey("anna", "Bottega", Site{Host: host, Origin: "https://" + host})
		b.wants("at "+host, err, ErrNoName)
		_, _, err = b.BeginPasskeySignIn("Bottega", Site{Host: host, Origin: "https://" + host}, here)
		b.wants("at "+host, err, ErrNoName)
	}
	options, token, err := b.BeginPasskey("anna", "Bottega", atHome)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(options), b64.EncodeToString(d.id)) {
		t.Error("the device is not told that it has a passkey already")
	}
	b.wants("without a name", b.AddPasskey("anna", token, "  ", "Bottega", nil, here), ErrLabel)
	b.wants("with a long name", b.AddPasskey("anna", token, strings.Repeat("è", 41), "Bottega", nil, here), ErrLabel)
	b.wants("of somebody else", b.AddPasskey("bruno", token, "x", "Bottega", newDevice(t).register(options), here), ErrStale)
	for name, answer := range map[string][]byte{"nothing": nil, "no JSON": []byte("{"), "an empty one": []byte("{}"), "a signature instead": d.sign(options)} {
		_, token, err := b.BeginPasskey("anna", "Bottega", atHome)
		if err != nil {
			t.Fatal(err)
		}
		b.wants(name, b.AddPasskey("anna", token, "x", "Bottega", answer, here), ErrPasskey)
	}
	_, _, err = b.BeginPasskey("nobody", "Bottega", atHome)
	b.wants("for nobody", err, ErrNobody)
}

func TestAPasskeyEndsByItsPersonAndByANewPasswordFromTheOwner(t *testing.T) {
	b, d := withPasskey(t)
	u, _ := b.Who(func() string { s, _ := b.enter(d, atHome, here); return s }(), false)
	b.wants("one that there is not", b.RemovePasskey("anna", "anna", "x", here), ErrPasskey)
	if err := b.RemovePasskey("anna", "anna", u.Passkeys[0].ID(), here); err != nil {
		t.Fatal(err)
	}
	_, err := b.enter(d, atHome, here)
	b.wants("removed", err, ErrPasskey)

	b, d = withPasskey(t)
	if err := b.SetPassword(t.Context(), "anna", "anna", "altra frase molto lunga", "", here); err != nil {
		t.Fatal(err)
	}
	if _, err := b.enter(d, atHome, here); err != nil {
		t.Errorf("after a new password of one's own: %v", err)
	}
	if err := b.SetPassword(t.Context(), "owner2", "anna", "ancora un'altra frase", "", here); err != nil {
		t.Fatal(err)
	}
	_, err = b.enter(d, atHome, here)
	b.wants("after a new password from the owner", err, ErrPasskey)
}

func TestManyQuestionsDoNotFillTheMemory(t *testing.T) {
	b, _ := withPasskey(t)
	for range maxCeremonies {
		if _, _, err := b.BeginPasskeySignIn("Bottega", atHome, there); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := b.BeginPasskeySignIn("Bottega", atHome, there)
	b.wants("one more", err, ErrBusy)
}

func FuzzPasskeyAnswers(f *testing.F) {
	f.Add([]byte(`{"id":"","rawId":"","type":"public-key","response":{}}`))
	f.Add(newDevice(&testing.T{}).register(json.RawMessage(`{"challenge":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","user":{"id":"AAAA"}}`)))
	f.Add(newDevice(&testing.T{}).sign(json.RawMessage(`{"challenge":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`)))
	f.Fuzz(func(t *testing.T, answer []byte) {
		b, _ := claimed(t)
		_, token, err := b.BeginPasskeySignIn("Bottega", atHome, here)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := b.PasskeySignIn(token, "Bottega", answer, here); err == nil || s != "" {
			t.Errorf("opened by %q", answer)
		}
		if _, token, err = b.BeginPasskey("anna", "Bottega", atHome); err != nil {
			t.Fatal(err)
		}
		if err := b.AddPasskey("anna", token, "x", "Bottega", answer, here); err == nil {
			t.Errorf("taken: %q", answer)
		}
	})
}
