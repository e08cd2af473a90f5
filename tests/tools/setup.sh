#!/bin/bash
# SPDX-License-Identifier: MIT
# setup.sh with commands of our own in place of apt-get and sudo: it is silent
# when nothing is missing, asks for just what is missing, and says so.
source "$(dirname "$0")/lib.sh"
mkdir -p bin
setup=$root/tools/setup.sh

# A machine with everything of the goal "test" but jq and cmocka, until
# apt-get is asked to install them.
for command in bash env id mktemp rm cat touch chmod cc cmake ninja g++ gcc clang clang-format clang-tidy scdoc mandoc nats-server; do
    ln -s "$(command -v $command)" "bin/$command"
done
printf '#!/bin/sh\nexit 0\n' >bin/python3
cat >bin/pkg-config <<'END'
#!/bin/bash
[ "$2" != cmocka ] || [ -e installed ]
END
cat >bin/apt-get <<'END'
#!/bin/bash
echo "$*" >>apt-get.txt
case " $* " in *" install "*) touch installed; printf '#!/bin/sh\n' >bin/jq; chmod +x bin/jq ;; esac
END
printf '#!/bin/bash\nexec "$@"\n' >bin/sudo
chmod +x bin/python3 bin/pkg-config bin/apt-get bin/sudo

here() { PATH=$work/bin "$setup" "$@"; }
passes here build
[ ! -s output.txt ] && [ ! -e apt-get.txt ] || { echo "not silent:"; cat output.txt; exit 1; }
passes here test
grep -q 'libcmocka-dev .*unit tests' output.txt
grep -q 'jq .*JSON' output.txt
[ "$(wc -l <apt-get.txt)" -eq 2 ]
sed -n 1p apt-get.txt | grep -q ' update$'
sed -n 2p apt-get.txt | grep -Eq ' install --no-install-recommends (libcmocka-dev jq|jq libcmocka-dev)$'
rm apt-get.txt
passes here test
[ ! -s output.txt ] && [ ! -e apt-get.txt ] || { echo "not silent the second time:"; cat output.txt; exit 1; }

rm bin/jq installed bin/apt-get
refuses 'apt-get install libcmocka-dev jq' here test
printf '#!/bin/sh\nexit 0\n' >bin/apt-get
chmod +x bin/apt-get
refuses 'still not usable' here test
refuses "no goal 'nonsense'" here nonsense
echo "checker ok: setup"
