// Package delta makes the content of a new slot out of that of the running one and of a small file with what differs.
//
// Of a slot nearly everything is an initramfs, which is compressed: two of them have nothing in common although the
// programs in them have nearly everything. So the old one is unpacked, its files are turned into the new ones, and they
// are compressed again by the very encoder with which the vendor did it (package zst), all in a stream: no file is
// ever whole in memory. A box with another encoder refuses the delta (ErrEncoder) and fetches the whole.
//
// A delta is believed for its hash, as any file of a release; what comes out is compared with the hash in it, and
// whoever installs it compares it again with that of the release. Deltas that lie cost an error.
//
// The form: eight bytes of magic, then one zstd stream of
//
//	encoder   its length and text: package zst's name
//	size      of the new content
//	SHA-256   of the new content
//	ops       until size bytes have come out:
//	  'c' offset length         bytes of the old content
//	  'l' length bytes          bytes that are new
//	  'f' offset length size    the frame there, unpacked, becomes another of size bytes, unpacked; then its records:
//	    'r' length head index length pieces   head and data of one file; index: that of the old file it is made from, 0: none
//	    't' length bytes                      what follows the last record: the end of the frame
//
// with numbers as uvarints, and each piece of at most 4 MiB as 's' (the bytes at the same place of the old file) or as
// 'p' length bytes (zstd, with 2 MiB more on both sides of that place as a dictionary).
package delta
