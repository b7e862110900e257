"""`feedwright publish`: what is in `public/` goes to an object store or another folder."""
