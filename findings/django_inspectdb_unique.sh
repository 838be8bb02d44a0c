#!/usr/bin/env bash
# Django's inspectdb writes a model for each table: of unique indexes it looks at the columns only. One that is unique for some rows, WHERE NOT deleted,
# becomes unique=True, and the columns of INCLUDE become part of the key, so that (code) INCLUDE (price) is unique_together code and price. (An index on an expression
# is left out, without a word, as most is that a model has no word for; UniqueConstraint has condition and include.) Forms and full_clean() then refuse rows
# that the table takes, and let through some that it refuses.
. "$(dirname "$0")/common.sh"
in_debian python3-django=3:5.2.17-2 python3-psycopg=3.3.5-1
server
given "CREATE TABLE item (id int PRIMARY KEY, email text, code text, price int, deleted boolean NOT NULL);
CREATE UNIQUE INDEX item_email ON item (email) WHERE NOT deleted;
CREATE UNIQUE INDEX item_code ON item (code) INCLUDE (price)"
mkdir -p "$WORKSPACE/site/shop"
cd "$WORKSPACE/site" || cannot "no directory"
touch shop/__init__.py
cat >settings.py <<END
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": "$PGHOST", "PORT": "$PGPORT"}}
INSTALLED_APPS = ["shop"]
END
export DJANGO_SETTINGS_MODULE=settings PYTHONPATH=$PWD
models=$(django-admin inspectdb 2>&1) || cannot "inspectdb fails: $models"
echo "$models" >shop/models.py
seen "what of the model is unique" "$(grep -o ' [a-z]* = .*unique=True\|unique_together.*' shop/models.py)" ' email = models.TextField(unique=True
unique_together = (('"'code', 'price'"'),)'
cat >rows.py <<'END'
import django
from django.core.exceptions import ValidationError
from django.db import IntegrityError

django.setup()
from shop.models import Item

Item.objects.create(id=1, email="ann@example.com", code="a", price=1, deleted=True)
for row in Item(id=2, email="ann@example.com", code="b", price=1, deleted=True), Item(id=3, email="bob@example.com", code="a", price=2, deleted=True):
    try:
        row.full_clean()
        model = "takes it"
    except ValidationError as error:
        model = "refuses it: " + "".join(error.messages)
    try:
        row.save()
        table = "takes it"
    except IntegrityError as error:
        table = "refuses it: " + str(error).split("\n")[0]
    print("model", model, "- table", table)
END
seen "a deleted row with the email of a deleted one, and a row with a code that there is already, at another price" "$(python3 rows.py 2>&1)" \
  'model refuses it: Item with this Email already exists. - table takes it
model takes it - table refuses it: duplicate key value violates unique constraint "item_code"'
