// Package live owns the configuration that runs. A change is a transaction: draft, all mistakes at
// once, vetoes of the rooms, the file replaced atomically, commit room by room in a fixed order, and
// when one fails everything back in reverse. The last versions are kept with who, when and why.
package live
