#!/usr/bin/env bash
# demo.sh [DIR]
# The main job from start to end: import ratings, train a blended model in two MPI processes, evaluate it against
# baselines, look into its file. DIR holds MovieLens files, ratings.csv (movies.csv, tags.csv) or ratings.dat
# (movies.dat, tags.dat); the default is the sample in data/sample. Installs the packages it lacks.
# Writes to build/demo (or to the directory BLENDMF_DEMO_OUTPUT names).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
source "$here/lib.sh"
case "${1-}" in
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" && exit 0 ;;
    -*) fail "unknown option '$1'; usage: demo.sh [DIR_WITH_MOVIELENS]" ;;
esac
[[ $# -le 1 ]] || fail "takes one directory at most; usage: demo.sh [DIR_WITH_MOVIELENS]"

ranks=2
input=${1:-$repository/data/sample}
[[ -d $input ]] || fail "'$input' is not a directory"
input=$(cd "$input" && pwd)
output=${BLENDMF_DEMO_OUTPUT:-$repository/build/demo}
blendmf=$repository/build/release/blendmf

# find_input: the files of $input as arguments of import, and whether they carry content.
find_input() {
    local suffix
    for suffix in csv dat; do
        [[ -f $input/ratings.$suffix ]] || continue
        import_files=(--ratings "$input/ratings.$suffix")
        content=none
        if [[ -f $input/movies.$suffix ]]; then
            import_files+=(--items "$input/movies.$suffix")
            content=embed
        fi
        if [[ -f $input/tags.$suffix ]]; then
            import_files+=(--tags "$input/tags.$suffix")
            content=embed
        fi
        return
    done
    fail "'$input' has neither ratings.csv nor ratings.dat; unpack a MovieLens archive there, or give its directory"
}

build() {
    local options=()
    # The tests need more packages; a tree that was made for them keeps them.
    [[ -f $repository/build/release/build.ninja ]] || options+=(-DBUILD_TESTING=OFF)
    (cd "$repository" && run cmake --preset release --log-level=WARNING "${options[@]}")
    run cmake --build "$repository/build/release" --target blendmf -j "$(build_jobs)"
}

import_files=()
content=none
find_input
"$here/install-packages.sh"
say "Building blendmf"
build
mkdir -p "$output"
mpi_environment "$ranks"
data=$output/data.h5
model=$output/model.h5

say "Importing the ratings: a split in time for each user, and a TF-IDF row for each item"
run "$blendmf" import "${import_files[@]}" -o "$data"

if [[ $content == none ]]; then
    say "No file of items or tags there, so no content to blend in: training plain matrix factorization"
else
    say "Training the blended model: $ranks processes, each with its own users, merge their item factors"
fi
run mpirun -n "$ranks" "$blendmf" train "$data" -o "$model" --content "$content"

say "Evaluating on the test ratings, beside baselines that know nothing of factors"
run mpirun -n "$ranks" "$blendmf" evaluate "$model" "$data" --baselines

say "What is in the model file"
run "$blendmf" info "$model"

say "The same file seen by HDF5's own tools"
run h5ls -r "$model"
run h5dump -d /item_bias -s 0 -c 5 "$model"

say "Done. The data set is $data, the model is $model"
