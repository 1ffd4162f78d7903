package repository

import (
	"crypto"
	"crypto/ed25519"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

// Signers are private keys at hand, by the role for which they sign.
type Signers map[string][]ed25519.PrivateKey

// Errors of keys.
var (
	ErrKeys      = errors.New("not enough keys")
	ErrPublished = errors.New("this root belongs to keys that everybody has")
)

// NewKeys draws all keys of a vendor.
func NewKeys() (Signers, error) {
	all := Signers{}
	for _, r := range Rules() {
		for range r.Keys {
			_, private, err := ed25519.GenerateKey(nil)
			if err != nil {
				return nil, err
			}
			all[r.Role] = append(all[r.Role], private)
		}
	}
	return all, nil
}

// public is the public half of a key as metadata names it, and its id.
func public(private ed25519.PrivateKey) (*metadata.Key, string, error) {
	half, ok := private.Public().(ed25519.PublicKey)
	if !ok {
		return nil, "", fmt.Errorf("%w: not an Ed25519 key", ErrKeys)
	}
	k, err := metadata.KeyFromPublicKey(half)
	if err != nil {
		return nil, "", err
	}
	id, err := k.ID()
	return k, id, err
}

// sign puts the signatures of all keys that are at hand and that belong to a role onto metadata.
func sign[T metadata.Roles](m *metadata.Metadata[T], keys []ed25519.PrivateKey, rule *metadata.Role) error {
	m.ClearSignatures()
	signed := 0
	for _, k := range keys {
		_, id, err := public(k)
		if err != nil {
			return err
		}
		if !slices.Contains(rule.KeyIDs, id) {
			continue
		}
		if err := add(m, k); err != nil {
			return err
		}
		signed++
	}
	if signed < rule.Threshold {
		return fmt.Errorf("%w: %d of the %d that have to sign", ErrKeys, signed, rule.Threshold)
	}
	return nil
}

// add signs once more, unless that key has signed.
func add[T metadata.Roles](m *metadata.Metadata[T], k ed25519.PrivateKey) error {
	_, id, err := public(k)
	if err != nil || slices.ContainsFunc(m.Signatures, func(s metadata.Signature) bool { return s.KeyID == id }) {
		return err
	}
	signer, err := signature.LoadSigner(k, crypto.Hash(0))
	if err != nil {
		return err
	}
	_, err = m.Sign(signer)
	return err
}

// published lists the public keys, in hex, whose private halves lie in the testdata of Pronto's own source.
//
//go:embed testdata/published.txt
var published string

// Known says whether a root may be built into an image that leaves the house: it must verify, its keys must be of the
// kind that this package makes, and none may be one that lies in the testdata of the source (ErrPublished), with which
// anybody could sign.
func Known(root []byte) error {
	t, err := trustedmetadata.New(root)
	if err != nil {
		return fmt.Errorf("root: %w", err)
	}
	for _, k := range t.Root.Signed.Keys {
		if k.Type != metadata.KeyTypeEd25519 {
			return fmt.Errorf("root: %w: a key of the kind %q; Ed25519 is wanted", ErrKeys, k.Type)
		}
		if slices.Contains(strings.Fields(published), strings.ToLower(k.Value.PublicKey)) {
			return fmt.Errorf("%w: %s", ErrPublished, k.Value.PublicKey)
		}
	}
	return nil
}

// Seed makes a key of its 32 bytes in hex, as key files hold it.
func Seed(text string) (ed25519.PrivateKey, error) {
	b, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(b) != ed25519.SeedSize {
		return nil, fmt.Errorf("%w: a key is 64 hexadecimal digits", ErrKeys)
	}
	return ed25519.NewKeyFromSeed(b), nil
}
