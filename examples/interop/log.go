// Command log judges a transparency log in a folder by golang.org/x/mod/sumdb, and writes one.
//
//	log verify <folder>
//	log write <folder>
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height  = 8 // of a tile: 256 hashes
	entries = 700
	earlier = 300 // the size of an earlier tree
)

var proved = []int64{0, 255, 256, 699}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: log verify|write <folder>")
	}
	var err error
	switch os.Args[1] {
	case "verify":
		err = verify(folder(os.Args[2]))
	case "write":
		err = write(folder(os.Args[2]))
	default:
		err = errors.New("usage: log verify|write <folder>")
	}
	if err != nil {
		log.Fatal(err)
	}
}

// folder holds tiles; it is a tlog.TileReader.
type folder string

func (f folder) file(name string) string { return filepath.Join(string(f), name) }

// tile returns where C2SP keeps a tile: without the height, which is always 8.
func (f folder) tile(tile tlog.Tile) string {
	return f.file(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
}

func (f folder) Height() int { return height }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := os.ReadFile(f.tile(tile))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func entry(number int64) []byte { return []byte(fmt.Sprintf("entry %d", number)) }

func verify(f folder) error {
	key, err := os.ReadFile(f.file("key"))
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(key)))
	if err != nil {
		return err
	}
	signed, err := os.ReadFile(f.file("checkpoint"))
	if err != nil {
		return err
	}
	tree, err := open(signed, verifier)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, f)
	for _, index := range proved {
		text, err := os.ReadFile(f.file(fmt.Sprintf("proof-%d", index)))
		if err != nil {
			return err
		}
		proof, err := readProof(text, index, signed)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry(index))); err != nil {
			return fmt.Errorf("proof of entry %d: %v", index, err)
		}
		made, err := tlog.ProveRecord(tree.N, index, reader)
		if err != nil {
			return fmt.Errorf("tiles of entry %d: %v", index, err)
		}
		if fmt.Sprint(made) != fmt.Sprint(proof) {
			return fmt.Errorf("the tiles give another proof of entry %d", index)
		}
	}
	hashes, err := stored(earlier)
	if err != nil {
		return err
	}
	before, err := tlog.TreeHash(earlier, hashes)
	if err != nil {
		return err
	}
	made, err := tlog.ProveTree(tree.N, earlier, reader)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(made, tree.N, tree.Hash, earlier, before); err != nil {
		return err
	}
	fmt.Printf("Go verified %d entries, root %x\n", tree.N, tree.Hash[:])
	return nil
}

// open verifies a checkpoint: the origin, the size and the root, each on its line.
func open(signed []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// readProof reads a tlog-proof file.
func readProof(text []byte, index int64, signed []byte) (tlog.RecordProof, error) {
	head, checkpoint, found := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || !bytes.Equal(checkpoint, signed) || len(lines) < 2 {
		return nil, errors.New("not a proof file of this checkpoint")
	}
	if lines[0] != "c2sp.org/tlog-proof@v1" || lines[1] != fmt.Sprintf("index %d", index) {
		return nil, fmt.Errorf("not a proof of entry %d", index)
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		proof = append(proof, hash)
	}
	return proof, nil
}

// stored returns the hashes of the first n entries as tlog keeps them.
func stored(n int64) (tlog.HashReaderFunc, error) {
	var all []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			found = append(found, all[index])
		}
		return found, nil
	})
	for number := int64(0); number < n; number++ {
		hashes, err := tlog.StoredHashes(number, entry(number), reader)
		if err != nil {
			return nil, err
		}
		all = append(all, hashes...)
	}
	return reader, nil
}

func write(f folder) error {
	secret, public, err := note.GenerateKey(rand.Reader, "example.org/go")
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return err
	}
	reader, err := stored(entries)
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(entries, reader)
	if err != nil {
		return err
	}
	for _, tile := range tlog.NewTiles(height, 0, entries) {
		data, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			return err
		}
		if err := put(f.tile(tile), data); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", signer.Name(), entries, base64.StdEncoding.EncodeToString(root[:]))
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		return err
	}
	for _, index := range proved {
		proof, err := tlog.ProveRecord(entries, index, reader)
		if err != nil {
			return err
		}
		var file bytes.Buffer
		fmt.Fprintf(&file, "c2sp.org/tlog-proof@v1\nindex %d\n", index)
		for _, hash := range proof {
			fmt.Fprintf(&file, "%s\n", hash)
		}
		fmt.Fprintf(&file, "\n%s", signed)
		if err := put(f.file(fmt.Sprintf("proof-%d", index)), file.Bytes()); err != nil {
			return err
		}
	}
	if err := put(f.file("checkpoint"), signed); err != nil {
		return err
	}
	fmt.Printf("Go wrote %d entries, root %x\n", entries, root[:])
	return put(f.file("key"), []byte(public))
}

func put(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
