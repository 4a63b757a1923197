"""Where Python functions run: a bare interpreter that sees its zip and what AWS's runtime brings, nothing else."""
