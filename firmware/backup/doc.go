// Package backup copies what a box knows into one encrypted file, and brings it back, on this box or another.
//
// A file is a gzipped tar in age's format (age-encryption.org/v1), for two recipients: the recovery kit, whose
// secret only the owner has, and the box itself, so that each backup is read back without the owner. age does
// not say who wrote a file; but who does not know a recipient cannot write a file for it, and both recipients
// stay on the box and in the kit.
//
// What belongs to the box and not to the office never goes in: the code of its label, its certificate, its
// own key. Sessions of the page end with a restore.
package backup
