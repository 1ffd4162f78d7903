package config

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// Backup says where the nightly copy of the box goes. Applied at once.
type Backup struct {
	// To is a folder of a USB stick or of a share that the system has mounted, https://host/path of a WebDAV
	// server, smb://host/share/path of a file server, or s3://host/bucket/path; http and s3+http are for the own network. Default none.
	To       string `yaml:"to"`
	User     string `yaml:"user,omitempty"`     // at the server; of S3 the access key
	Password Secret `yaml:"password,omitempty"` // and the secret key
	Region   string `yaml:"region,omitempty"`   // of S3; default the store's own
	Hour     int    `yaml:"hour"`               // of the night, by the clock of the box; default 2, 0-23
	// Recordings puts the recordings of conversations into it, too: all of them each night, so the place needs room for
	// several times what they take. Default false.
	Recordings bool `yaml:"recordings,omitempty"`
}

func defaultBackup() Backup { return Backup{Hour: 2} }

// serverPlaces are the schemes of places in a network.
var serverPlaces = []string{"https", "http", "smb", "s3", "s3+http"}

func (v *validator) backup() {
	b := v.c.Backup
	if b.Hour < 0 || b.Hour > 23 {
		v.found.add("backup.hour", "range", "%d is no hour; use 0 to 23", b.Hour)
	}
	switch at, err := url.Parse(b.To); {
	case b.To == "":
	case filepath.IsAbs(b.To):
		if filepath.Clean(b.To) == "/" {
			v.found.add("backup.to", "path", "%q is no folder of another disk, such as /media/usb", b.To)
		}
	case err != nil || !slices.Contains(serverPlaces, at.Scheme) || at.Hostname() == "":
		v.found.add("backup.to", "path", "%q is no place: write a folder from / on, such as /media/usb, or https://host/path, smb://host/share or s3://host/bucket", b.To)
	case at.User != nil:
		v.found.add("backup.to", "path", "user and password are fields of their own, so that nobody reads them in the log")
	case at.RawQuery != "" || at.Fragment != "":
		v.found.add("backup.to", "path", "%q has a ? or #, which an address of backups has not", b.To)
	case at.Scheme != "https" && at.Scheme != "http" && strings.Trim(at.Path, "/") == "":
		v.found.add("backup.to", "path", "%q names no bucket or share: write %s://%s/NAME", b.To, at.Scheme, at.Host)
	}
}
