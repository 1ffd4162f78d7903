package config

import "path/filepath"

// Backup says where the nightly copy of the box goes. Applied at once.
type Backup struct {
	To   string `yaml:"to"`   // folder of a USB stick or of a share that the system has mounted; default none
	Hour int    `yaml:"hour"` // of the night, by the clock of the box; default 2, 0-23
}

func defaultBackup() Backup { return Backup{Hour: 2} }

func (v *validator) backup() {
	b := v.c.Backup
	if b.To != "" && (!filepath.IsAbs(b.To) || filepath.Clean(b.To) == "/") {
		v.found.add("backup.to", "path", "%q is no folder of another disk: write it from / on, such as /media/usb", b.To)
	}
	if b.Hour < 0 || b.Hour > 23 {
		v.found.add("backup.hour", "range", "%d is no hour; use 0 to 23", b.Hour)
	}
}
