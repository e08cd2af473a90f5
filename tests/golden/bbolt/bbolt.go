// SPDX-License-Identifier: MIT

// bbolt.go makes the files that bbolt wrote, and says what bbolt finds in a file.
//
//	bbolt.go make DIR       write every NAME.db and its listing NAME.txt
//	bbolt.go list FILE      check the file, and print its listing
//	bbolt.go change FILE    add, change and delete entries, and check it again
//
// A listing has a line for each bucket, "b NAME", in hex, and one for each of
// its entries, "e KEY LEN HASH": the hash is FNV-1a 64 of the value. A nested
// bucket is "n NAME".
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func value(seed, n int) []byte {
	v := make([]byte, n)
	for i := range v {
		v[i] = byte(seed*131 + i*7 + i>>8)
	}
	return v
}

func list(db *bolt.DB, out io.Writer) {
	must(db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			log.Fatalf("check: %v", err)
		}
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			fmt.Fprintf(out, "b %x\n", name)
			c := b.Cursor()
			for k, v := c.First(); k != nil; k, v = c.Next() {
				if v == nil && b.Bucket(k) != nil {
					fmt.Fprintf(out, "n %x\n", k)
					continue
				}
				h := fnv.New64a()
				h.Write(v)
				fmt.Fprintf(out, "e %x %d %016x\n", k, len(v), h.Sum64())
			}
			return nil
		})
	}))
}

func open(path string, pageSize int, noFreelist bool) *bolt.DB {
	t := bolt.FreelistArrayType
	if noFreelist {
		t = bolt.FreelistMapType
	}
	db, err := bolt.Open(path, 0600, &bolt.Options{PageSize: pageSize, NoFreelistSync: noFreelist, FreelistType: t})
	must(err)
	return db
}

func finish(dir, name string, db *bolt.DB) {
	var text bytes.Buffer
	list(db, &text)
	must(db.Close())
	must(os.WriteFile(filepath.Join(dir, name+".txt"), text.Bytes(), 0644))
	must(os.Chmod(filepath.Join(dir, name+".db"), 0644))
}

func fill(db *bolt.DB, bucket string, from, to, size int) {
	must(db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(bucket))
		must(err)
		for i := from; i < to; i++ {
			must(b.Put([]byte(fmt.Sprintf("key-%05d", i*7919%10007)), value(i, size)))
		}
		return nil
	}))
}

// As etcd uses it: its buckets, most of them small, and revisions as keys.
func etcd(db *bolt.DB) {
	must(db.Update(func(tx *bolt.Tx) error {
		for _, name := range []string{"alarm", "auth", "authRoles", "authUsers", "cluster", "key", "lease", "members", "members_removed", "meta"} {
			_, err := tx.CreateBucketIfNotExists([]byte(name))
			must(err)
		}
		must(tx.Bucket([]byte("cluster")).Put([]byte("clusterVersion"), []byte("3.5.0")))
		return tx.Bucket([]byte("members")).Put([]byte("8e9e05c52164694d"), value(1, 90))
	}))
	for batch := 0; batch < 4; batch++ {
		must(db.Update(func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("key"))
			b.FillPercent = 0.9
			for i := batch * 40; i < batch*40+40; i++ {
				k := make([]byte, 17)
				binary.BigEndian.PutUint64(k, uint64(i+2))
				k[8] = '_'
				must(b.Put(k, value(i, 60+i%50)))
			}
			v := make([]byte, 8)
			binary.BigEndian.PutUint64(v, uint64(batch))
			return tx.Bucket([]byte("meta")).Put([]byte("consistent_index"), v)
		}))
	}
}

func makeAll(dir string) {
	at := func(name string) string { return filepath.Join(dir, name+".db") }

	db := open(at("empty"), 512, false)
	finish(dir, "empty", db)

	db = open(at("etcd"), 4096, true)
	etcd(db)
	finish(dir, "etcd", db)

	db = open(at("snapshot.tmp"), 4096, true)
	etcd(db)
	must(db.View(func(tx *bolt.Tx) error {
		f, err := os.Create(at("snapshot"))
		must(err)
		sum := sha256.New()
		_, err = tx.WriteTo(io.MultiWriter(f, sum))
		must(err)
		_, err = f.Write(sum.Sum(nil))
		must(err)
		return f.Close()
	}))
	finish(dir, "snapshot", openOther(db, at("snapshot.tmp")))
	must(os.Remove(at("snapshot.tmp")))

	// Free pages, a tree of several levels, values over many pages.
	db = open(at("deep"), 512, false)
	fill(db, "a", 0, 400, 30)
	fill(db, "b", 0, 3, 5000)
	fill(db, "c", 0, 2, 10)
	fill(db, "d", 0, 300, 0)
	must(db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket([]byte("e"))
		must(err)
		must(tx.Bucket([]byte("c")).Put(bytes.Repeat([]byte{'k'}, 1000), value(9, 7)))
		for i := 100; i < 350; i++ {
			must(tx.Bucket([]byte("a")).Delete([]byte(fmt.Sprintf("key-%05d", i*7919%10007))))
		}
		return tx.DeleteBucket([]byte("d"))
	}))
	fill(db, "f", 0, 1, 1)
	finish(dir, "deep", db)

	db = open(at("nested"), 1024, false)
	fill(db, "outer", 0, 5, 10)
	must(db.Update(func(tx *bolt.Tx) error {
		b, err := tx.Bucket([]byte("outer")).CreateBucket([]byte("inner"))
		must(err)
		return b.Put([]byte("k"), []byte("v"))
	}))
	finish(dir, "nested", db)
}

func openOther(db *bolt.DB, path string) *bolt.DB {
	must(db.Close())
	return open(path, 4096, true)
}

func change(path string) {
	db, err := bolt.Open(path, 0600, nil)
	must(err)
	n := 0
	must(db.Update(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			var keys [][]byte
			must(b.ForEach(func(k, v []byte) error {
				keys = append(keys, append([]byte(nil), k...))
				return nil
			}))
			for i, k := range keys {
				if i%3 == 0 {
					must(b.Delete(k))
					n++
				}
			}
			for i := 0; i < 50; i++ {
				must(b.Put([]byte(fmt.Sprintf("new-%04d", i)), value(i, i*10)))
			}
			return nil
		})
	}))
	var text bytes.Buffer
	list(db, &text)
	must(db.Close())
	fmt.Printf("changed, %d deleted, %d lines\n", n, bytes.Count(text.Bytes(), []byte{'\n'}))
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("bbolt.go make DIR | list FILE | change FILE")
	}
	switch os.Args[1] {
	case "make":
		makeAll(os.Args[2])
	case "list":
		db, err := bolt.Open(os.Args[2], 0600, &bolt.Options{ReadOnly: true})
		must(err)
		list(db, os.Stdout)
		must(db.Close())
	case "change":
		change(os.Args[2])
	}
}
