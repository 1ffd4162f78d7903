package repository

import (
	"crypto/ed25519"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Signed signs a root as it is and asks Known about it.
func Signed(root *metadata.Metadata[metadata.RootType], keys []ed25519.PrivateKey) error {
	if err := sign(root, keys, root.Signed.Roles[Root]); err != nil {
		return err
	}
	text, err := root.ToBytes(false)
	if err != nil {
		return err
	}
	return Known(text)
}
