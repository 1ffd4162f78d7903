package backup

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// Errors of a file that cannot be restored.
var (
	ErrKey     = errors.New("this key does not open the backup")
	ErrDamaged = errors.New("the backup is damaged or incomplete")
	ErrConfig  = errors.New("this program does not understand the configuration of the backup")
	ErrNewer   = errors.New("the backup is of a newer program: update this box first")
)

// largest bounds one file of a backup, so that a forged one cannot fill the disk before it is noticed.
const largest = 4 << 30

// padding is how much may follow the last file of a backup, unpacked: tar fills its last block. Zeros pack a thousand
// to one, so a forged file of an upload's size would keep a box busy for a day.
const padding = 1 << 20

// Archive is a backup that is being read, from its beginning to its end.
type Archive struct {
	Manifest
	tar  *tar.Reader
	rest io.Reader // what tar reads, to its end
}

// Open decrypts a backup with any of the keys.
func Open(in io.Reader, keys ...age.Identity) (*Archive, error) {
	plain, err := age.Decrypt(in, keys...)
	var wrong *age.NoIdentityMatchError
	switch {
	case errors.As(err, &wrong):
		return nil, ErrKey
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	unpacked, err := gzip.NewReader(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	a := &Archive{tar: tar.NewReader(unpacked), rest: unpacked}
	head, err := a.tar.Next()
	if err != nil || head.Name != manifestName || head.Size > 64<<10 {
		return nil, fmt.Errorf("%w: it does not begin with its manifest: %w", ErrDamaged, err)
	}
	if err := json.NewDecoder(a.tar).Decode(&a.Manifest); err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", ErrDamaged, err)
	}
	if a.V > format {
		return nil, ErrNewer
	}
	return a, nil
}

// Each goes over the files to the end; only then is it certain that nothing is missing. A file that belongs
// to no chapter ends it: nobody but a forger writes one.
func (a *Archive) Each(do func(r Chapter, name string, size int64, body io.Reader) error) (Total, error) {
	var t Total
	for {
		head, err := a.tar.Next()
		if err == io.EOF {
			n, err := io.Copy(io.Discard, io.LimitReader(a.rest, padding+1)) // the sums at the end
			if err == nil && n > padding {
				err = errors.New("it goes on behind its end")
			}
			if err != nil {
				return t, fmt.Errorf("%w: %w", ErrDamaged, err)
			}
			return t, nil
		}
		if err != nil {
			return t, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		r, ok := owner(head.Name)
		if !ok || head.Typeflag != tar.TypeReg || head.Size > largest {
			return t, fmt.Errorf("%w: %q does not belong into a backup", ErrDamaged, head.Name)
		}
		if err := do(r.chapter, head.Name, head.Size, a.tar); err != nil {
			return t, err
		}
		t.Files++
		t.Bytes += head.Size
	}
}

// Check reads a backup to its end and returns what it is.
func Check(in io.Reader, keys ...age.Identity) (Manifest, Total, error) {
	a, err := Open(in, keys...)
	if err != nil {
		return Manifest{}, Total{}, err
	}
	t, err := a.Each(func(_ Chapter, _ string, size int64, body io.Reader) error {
		if n, err := io.Copy(io.Discard, body); err != nil || n != size {
			return fmt.Errorf("%w: %w", ErrDamaged, errors.Join(err, io.ErrUnexpectedEOF))
		}
		return nil
	})
	return a.Manifest, t, err
}

// CheckOwn reads a backup to its end with the key of the box.
func CheckOwn(s Source, in io.Reader) (Manifest, Total, error) {
	k, err := OpenKeys(s)
	if err != nil {
		return Manifest{}, Total{}, err
	}
	own, err := k.own()
	if err != nil {
		return Manifest{}, Total{}, err
	}
	return Check(in, own)
}
