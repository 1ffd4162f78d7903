// Package places reaches the places in a network where backups lie: WebDAV servers, shares of file servers and S3 stores.
package places

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/config"
)

// Open finds the place that the configuration names: the stick of the box or a folder, https://host/path (WebDAV),
// smb://host/share/path or s3://host/bucket/path. Spool is a directory for what must be known whole before it is sent.
func Open(c config.Backup, spool string) (backup.Place, error) {
	if folder, on := strings.CutPrefix(path.Clean(c.To)+"/", backup.StickDir+"/"); on {
		return backup.Stick{At: backup.StickDir, Folder: folder}, nil
	}
	if path.IsAbs(c.To) {
		return backup.Folder(c.To), nil
	}
	at, err := url.Parse(c.To)
	if err != nil {
		return nil, fmt.Errorf("place of the backups: %w", err)
	}
	switch at.Scheme {
	case "https", "http":
		return newDAV(at, c, spool), nil
	case "s3", "s3+http":
		return newBucket(at, c, spool)
	case "smb":
		return newSMB(at, c)
	default:
		return nil, fmt.Errorf("%q is no place for backups: use a folder, https, smb or s3", c.To)
	}
}

// split cuts /share/some/path into its first part and the rest.
func split(p string) (first, rest string) {
	first, rest, _ = strings.Cut(strings.Trim(p, "/"), "/")
	return first, rest
}

// spooled writes a body into a file first: these protocols want its length, or may have to send it twice.
func spooled(dir string, body io.Reader, send func(f *os.File, size int64) error) error {
	f, err := os.CreateTemp(dir, "backup-*.part")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	size, err := io.Copy(f, body)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = send(f, size)
	}
	return errors.Join(err, ignoreClosed(f.Close()))
}

// ignoreClosed: a client may close what it has sent.
func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// onlyBackups leaves out what is none.
func onlyBackups(names []string) []string {
	var all []string
	for _, n := range names {
		if _, ok := backup.MadeAt(n); ok {
			all = append(all, n)
		}
	}
	return all
}
